#pragma once

#include <cstdint>
#include <functional>

namespace srdiff {

/// A call for items first ≤ i < last.
using RangeCall = std::function<void(std::int64_t first, std::int64_t last)>;

/// Takes 0 ≤ i < count in order, at most `at_once` together: `make` computes a piece and `keep`
/// takes its result. Where memory does not hold what `make` needs (is_out_of_memory), that piece is
/// halved and so are those after it, with a warning that names the items ("pictures", "tiles").
/// `make` starts a piece anew then, after `make_room`; `keep` sees each item once.
///
/// Returns how many go together in the end. Throws what `make` throws of a single item.
std::int64_t run_with_memory_backoff(std::int64_t count, std::int64_t at_once, const char* items,
                                     const RangeCall& make, const RangeCall& keep,
                                     const std::function<void()>& make_room);

}  // namespace srdiff
