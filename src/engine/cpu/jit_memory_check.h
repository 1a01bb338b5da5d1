#pragma once

#include <c10/util/ArrayRef.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <set>
#include <vector>

namespace srdiff::cpu {

/// Throws std::bad_alloc where the system has no memory for a kernel's code. oneDNN writes code
/// without a look whether it got any memory, and the process ends there.
inline void require_memory_for_code() {
  constexpr std::size_t enough = 4 << 20;
  void* const memory =
      ::mmap(nullptr, enough, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  ::munmap(memory, enough);
}

/// Asks for that memory before the first call of each size of an image: later calls find the
/// kernel's code in oneDNN's cache.
class JitMemoryCheck {
 public:
  void require_for(c10::IntArrayRef size) {
    if (known_.count(size.vec()) > 0) {
      return;
    }
    require_memory_for_code();
    if (known_.size() == most_sizes) {
      known_.clear();
    }
    known_.insert(size.vec());
  }

 private:
  static constexpr std::size_t most_sizes = 64;
  std::set<std::vector<std::int64_t>> known_;
};

}  // namespace srdiff::cpu
