#include "engine/cpu/memory_segment.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <iterator>

namespace srdiff::cpu {
MemorySegment::MemorySegment(std::size_t bytes)
    : memory_(in_huge_pages(bytes)), bytes_(whole_huge_pages(bytes)) {
  free_.emplace(0, bytes_);
}

void* MemorySegment::take(std::size_t bytes) {
  const auto found = std::find_if(free_.begin(), free_.end(),
                                  [&](const auto& part) { return part.second >= bytes; });
  if (found == free_.end()) {
    return nullptr;
  }
  const auto [start, size] = *found;
  free_.erase(found);
  if (size > bytes) {
    free_.emplace(start + bytes, size - bytes);
  }
  in_use_ += bytes;
  needed_ = std::max(needed_, start + bytes);
  written_ = std::max(written_, start + bytes);
  return memory_.get() + start;
}

void MemorySegment::give_back(const void* block, std::size_t bytes) {
  in_use_ -= bytes;
  const auto start = static_cast<std::size_t>(static_cast<const char*>(block) - memory_.get());
  const auto part = free_.emplace(start, bytes).first;
  const auto next = std::next(part);
  if (next != free_.end() && part->first + part->second == next->first) {
    part->second += next->second;
    free_.erase(next);
  }
  if (part != free_.begin()) {
    const auto before = std::prev(part);
    if (before->first + before->second == part->first) {
      before->second += part->second;
      free_.erase(part);
    }
  }
}

bool MemorySegment::follow_use() {
  const std::size_t needed = std::max(needed_, needed_before_);
  if (written_ > needed) {
#ifdef MADV_DONTNEED
    const std::size_t from = whole_huge_pages(needed);
    if (written_ > from) {
      madvise(memory_.get() + from, written_ - from, MADV_DONTNEED);
    }
#endif
    written_ = needed;
  }
  needed_before_ = needed_;
  needed_ = bytes_;  // what is in use is needed
  if (!free_.empty()) {
    const auto last = std::prev(free_.end());
    if (last->first + last->second == bytes_) {
      needed_ = last->first;
    }
  }
  return needed > 0;
}

}  // namespace srdiff::cpu
