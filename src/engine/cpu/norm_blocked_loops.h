#pragma once

#include <cstdint>

namespace srdiff::cpu {

// The loops of norms over images in blocks (norm_blocked.h), once for every vector width. They work
// on columns of `block` channels whose pixels are `step` values apart (blocked_layout.h), and write
// float32 or the bits of bfloat16.

template <typename Out>
using ScaledLoop = void (*)(const float*, Out*, std::int64_t, std::int64_t, const float*,
                            const float*);

/// What is done to columns side by side.
template <typename Out>
struct ColumnLoops {
  void (*moments)(const float*, std::int64_t, std::int64_t, float*, float*);
  ScaledLoop<Out> scaled;
  ScaledLoop<Out> scaled_silu;
};

/// For columns of so many channels, 1, 2 or 4 at a time; more than one only of 16 and to bf16,
/// which is what images in one block of all channels are for.
template <typename Out>
ColumnLoops<Out> column_loops(std::int64_t block, std::int64_t together);

template <typename Out>
using PositionsLoop = void (*)(const float* x, Out* y, std::int64_t positions, std::int64_t step,
                               std::int64_t columns, std::int64_t stride, const float* weight,
                               const float* bias, float eps);

/// silu of the layer norm of each of `positions` positions, whose `columns` columns of channels are
/// `stride` values apart.
template <typename Out>
PositionsLoop<Out> norm_positions_loop(std::int64_t block);

}  // namespace srdiff::cpu
