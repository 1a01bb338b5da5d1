#include "blas_memory.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstddef>
#include <vector>

#include "srdiff/error.h"

namespace {

/// What OpenBLAS maps for a thread, 128 MiB on x86-64, and what it needs beside it.
constexpr std::size_t buffer_bytes = std::size_t{160} << 20;

bool has_room_for_a_buffer() {
  void* const probe = ::mmap(nullptr, buffer_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) {
    return false;
  }
  ::munmap(probe, buffer_bytes);
  return true;
}

/// A function of the library's own, which its header does not declare; null for another library.
template <typename Function>
Function blas_function(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void reserve_blas_memory(int threads) {
  struct rlimit limits {};
  const auto take = blas_function<void* (*)(int)>("blas_memory_alloc");
  const auto give_back = blas_function<void (*)(void*)>("blas_memory_free");
  if (::getrlimit(RLIMIT_AS, &limits) != 0 || limits.rlim_cur == RLIM_INFINITY || take == nullptr ||
      give_back == nullptr) {
    return;
  }
  std::vector<void*> buffers;
  while (static_cast<int>(buffers.size()) < threads && has_room_for_a_buffer()) {
    buffers.push_back(take(0));
  }
  for (void* const buffer : buffers) {
    give_back(buffer);
  }
  if (buffers.empty()) {
    throw srdiff::MemoryError(
        "the limit on address space (ulimit -v) leaves no room for a network; raise it");
  }
}
