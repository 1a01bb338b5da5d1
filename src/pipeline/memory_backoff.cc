#include "pipeline/memory_backoff.h"

#include <algorithm>
#include <exception>

#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {

std::int64_t run_with_memory_backoff(std::int64_t count, std::int64_t at_once, const char* items,
                                     const RangeCall& make, const RangeCall& keep,
                                     const std::function<void()>& make_room) {
  for (std::int64_t first = 0; first < count;) {
    const std::int64_t last = std::min(first + at_once, count);
    try {
      make(first, last);
    } catch (const std::exception& error) {
      const std::int64_t piece = last - first;
      if (piece == 1 || !is_out_of_memory(error)) {
        throw;
      }
      at_once = (piece + 1) / 2;
      log::warn("not enough memory for {} {} at once; from here on {} at a time", piece, items,
                at_once);
      make_room();
      continue;
    }
    keep(first, last);
    first = last;
  }
  return at_once;
}

}  // namespace srdiff
