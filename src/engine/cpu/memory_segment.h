#pragma once

#include <cstddef>
#include <map>

#include "engine/cpu/huge_pages.h"

namespace srdiff::cpu {

/// Memory of the system that is cut into blocks, the first one that is free and large enough at a
/// time. Blocks that are given back become one with free neighbours.
class MemorySegment {
 public:
  /// Throws std::bad_alloc where the system does not have it.
  explicit MemorySegment(std::size_t bytes);
  MemorySegment(const MemorySegment&) = delete;
  MemorySegment& operator=(const MemorySegment&) = delete;

  /// Uncleared memory; null where no free part is so large. Blocks are aligned to what all sizes
  /// are multiples of, up to 2 MiB.
  void* take(std::size_t bytes);
  void give_back(const void* block, std::size_t bytes);
  bool holds(const void* block) const {
    return block >= memory_.get() && block < memory_.get() + bytes_;
  }

  bool is_free() const { return in_use_ == 0; }
  /// Bytes from the beginning that blocks had, and that are kept and not in use.
  std::size_t kept() const { return written_ - in_use_; }

  /// Gives the pages back to the system that lie behind all blocks since the call before the last
  /// one of this. False where there were no blocks.
  bool follow_use();

 private:
  HugePages memory_;
  std::size_t bytes_;
  std::map<std::size_t, std::size_t> free_;  ///< sizes by the parts' starts; no two are neighbours
  std::size_t in_use_ = 0;
  std::size_t written_ = 0;        ///< where blocks were, from the beginning
  std::size_t needed_ = 0;         ///< the same since the last call of follow_use
  std::size_t needed_before_ = 0;  ///< and between that and the one before
};

}  // namespace srdiff::cpu
