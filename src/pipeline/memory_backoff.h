#pragma once

#include <cstdint>
#include <functional>

namespace srdiff {

/// A function of the items first ≤ i < last.
using RangeCall = std::function<void(std::int64_t first, std::int64_t last)>;

/// Processes the items 0 ≤ i < count in order, in pieces of at most `at_once`: `make` computes a
/// piece and `keep` takes its result. When `make` runs out of memory (is_out_of_memory), this piece
/// and all later ones are halved, with a warning that names the items ("pictures", "tiles");
/// `make_room` is called, and `make` starts the piece anew. `keep` sees each item once.
///
/// Returns the size of the last pieces. Throws what `make` throws for a piece of one item.
std::int64_t run_with_memory_backoff(std::int64_t count, std::int64_t at_once, const char* items,
                                     const RangeCall& make, const RangeCall& keep,
                                     const std::function<void()>& make_room);

}  // namespace srdiff
