#include "engine/cpu/blas_threads.h"

#include <dlfcn.h>

namespace srdiff::cpu {

void set_blas_threads(int count) {
  // Looked up by name: the system, not the linker, chooses the BLAS that LibTorch runs on.
  using SetThreads = void(int);
  static auto* const set =
      reinterpret_cast<SetThreads*>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) {
    set(count);
  }
}

}  // namespace srdiff::cpu
