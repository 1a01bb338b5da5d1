#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace srdiff {

/// Throws std::bad_alloc where the system has no memory for a kernel's code. oneDNN writes it
/// without a look whether it got any, and the process ends there.
inline void require_memory_for_code() {
  constexpr std::size_t enough = 4 << 20;
  void* const memory =
      ::mmap(nullptr, enough, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  ::munmap(memory, enough);
}

}  // namespace srdiff
