#include "engine/cpu/blas_threads.h"

#include <dlfcn.h>

namespace srdiff::cpu {

void set_blas_threads(int count) {
  // By name: which BLAS LibTorch's symbols come from is the system's choice, not the linker's.
  using SetThreads = void(int);
  static auto* const set =
      reinterpret_cast<SetThreads*>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr) {
    set(count);
  }
}

}  // namespace srdiff::cpu
