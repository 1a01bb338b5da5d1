#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/integer_math.h"

namespace srdiff::cpu {

constexpr std::int64_t size_of_huge_page = 1 << 21;

/// The bytes of the huge pages that hold so many.
inline std::size_t whole_huge_pages(std::size_t bytes) {
  return static_cast<std::size_t>(round_up(static_cast<std::int64_t>(bytes), size_of_huge_page));
}

struct MallocDeleter {
  void operator()(void* memory) const { std::free(memory); }
};
using HugePages = std::unique_ptr<char, MallocDeleter>;

/// Uncleared memory of whole_huge_pages(bytes) that begins where a huge page can. Throws
/// std::bad_alloc.
inline HugePages in_huge_pages(std::size_t bytes) {
  HugePages memory(
      static_cast<char*>(std::aligned_alloc(size_of_huge_page, whole_huge_pages(bytes))));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace srdiff::cpu
