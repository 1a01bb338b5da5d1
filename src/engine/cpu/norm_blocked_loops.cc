#include "engine/cpu/norm_blocked_loops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "engine/cpu/activation.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {
namespace {

/// Adds up `term` of each pixel's channels, in `Count` columns side by side.
template <std::int64_t Block, std::int64_t Count, typename Term>
SRDIFF_INLINE void add_up(const float* x, std::int64_t pixels, std::int64_t step, const Term& term,
                          std::array<Values<Block>, Count>& total) {
  constexpr std::int64_t sums = 4;  // an addition does not wait for the one before it
  std::array<std::array<Values<Block>, Count>, sums> part{};
  const auto add = [&](std::int64_t p, std::array<Values<Block>, Count>& to) {
    for (std::size_t i = 0; i < Count; ++i) {
      Values<Block> values;
      load(x + p * step + static_cast<std::int64_t>(i) * Block, values);
      term(i, values);
      to[i] += values;
    }
  };
  std::int64_t p = 0;
  for (; p + sums <= pixels; p += sums) {
    add(p, part[0]);
    add(p + 1, part[1]);
    add(p + 2, part[2]);
    add(p + 3, part[3]);
  }
  for (; p < pixels; ++p) {
    add(p, part[0]);
  }
  for (std::size_t i = 0; i < Count; ++i) {
    total[i] = (part[0][i] + part[1][i]) + (part[2][i] + part[3][i]);
  }
}

/// The mean of each channel of a piece, and the sum of squared distances from it, for columns side
/// by side.
template <std::int64_t Block, std::int64_t Count>
SRDIFF_INLINE void piece_moments(const float* x, std::int64_t pixels, std::int64_t step,
                                 float* mean, float* squares) {
  std::array<Values<Block>, Count> center;
  const auto itself = [](std::size_t /*column*/, Values<Block>& /*values*/) {};
  add_up<Block, Count>(x, pixels, step, itself, center);
  for (Values<Block>& of_column : center) {
    of_column /= static_cast<float>(pixels);
  }
  std::array<Values<Block>, Count> spread;
  const auto square = [&center](std::size_t column, Values<Block>& values) {
    const Values<Block> distance = values - center[column];
    values = distance * distance;
  };
  add_up<Block, Count>(x, pixels, step, square, spread);
  std::memcpy(mean, &center, sizeof(center));
  std::memcpy(squares, &spread, sizeof(spread));
}

/// Positions of a column that are normalised together.
constexpr std::int64_t positions_at_once = values_at_once / silu_lanes;

/// Writes float32 values to `y` as float32 or as the bits of bfloat16. Bits are made in a loop of
/// their own, since the compiler does not vectorise a loop over both types.
template <std::int64_t Block, typename Out>
class Written {
 public:
  explicit Written(std::int64_t step)
      : step_(step), in_place_(std::is_same_v<Out, float> && step == Block) {}

  /// Where the caller puts at most `positions_at_once` positions of one column, one after another.
  SRDIFF_INLINE float* values(Out* y) {
    if constexpr (std::is_same_v<Out, float>) {
      if (in_place_) {
        return y;
      }
    }
    return buffer_.data();
  }

  SRDIFF_INLINE void write(Out* y, std::int64_t positions) const {
    if (in_place_) {
      return;
    }
    for (std::int64_t p = 0; p < positions; ++p) {
      const float* from = buffer_.data() + p * Block;
      Out* to = y + p * step_;
      for (std::int64_t j = 0; j < Block; ++j) {
        if constexpr (std::is_same_v<Out, float>) {
          to[j] = from[j];
        } else {
          to[j] = bf16_bits(from[j]);
        }
      }
    }
  }

 private:
  std::int64_t step_;
  bool in_place_;
  std::array<float, positions_at_once * Block> buffer_;
};

template <std::int64_t Block, std::int64_t Count, bool Silu, typename Out>
SRDIFF_INLINE void scaled(const float* x, Out* y, std::int64_t pixels, std::int64_t step,
                          const float* scale, const float* offset) {
  std::array<Values<Block>, Count> a;
  std::array<Values<Block>, Count> b;
  std::memcpy(&a, scale, sizeof(a));
  std::memcpy(&b, offset, sizeof(b));
  Written<Block * Count, Out> written(step);
  for (std::int64_t first = 0; first < pixels; first += positions_at_once) {
    const std::int64_t count = std::min(positions_at_once, pixels - first);
    const float* from = x + first * step;
    float* to = written.values(y + first * step);
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::size_t i = 0; i < Count; ++i) {
        const std::int64_t column = static_cast<std::int64_t>(i) * Block;
        Values<Block> values;
        load(from + p * step + column, values);
        values = values * a[i] + b[i];
        if constexpr (Silu) {
          Values<Block> divisor = values;
          one_plus_exp_of_minus<Block>(divisor);
          values /= divisor;
        }
        store(values, to + p * Block * Count + column);
      }
    }
    written.write(y + first * step, count);
  }
}

/// The moments of one position: `columns` of channels, `stride` floats apart.
template <std::int64_t Block>
SRDIFF_INLINE Moments position_moments(const float* x, std::int64_t columns, std::int64_t stride) {
  const auto channels = static_cast<float>(columns * Block);
  Values<Block> part{};
  for (std::int64_t i = 0; i < columns; ++i) {
    Values<Block> values;
    load(x + i * stride, values);
    part += values;
  }
  sum_lanes<Block>(part);
  const Values<Block> mean = part / channels;
  part = Values<Block>{};
  for (std::int64_t i = 0; i < columns; ++i) {
    Values<Block> d;
    load(x + i * stride, d);
    d -= mean;
    part += d * d;
  }
  sum_lanes<Block>(part);
  return {mean[0], part[0] / channels};
}

/// silu of the layer norm of `positions` positions.
template <std::int64_t Block, typename Out>
SRDIFF_INLINE void norm_positions_in_blocks(const float* x, Out* y, std::int64_t positions,
                                            std::int64_t step, std::int64_t columns,
                                            std::int64_t stride, const float* weight,
                                            const float* bias, float eps) {
  Written<Block, Out> written(step);
  std::array<float, positions_at_once> mean{};
  std::array<float, positions_at_once> scale{};
  for (std::int64_t first = 0; first < positions; first += positions_at_once) {
    const std::int64_t count = std::min(positions_at_once, positions - first);
    const float* from = x + first * step;
    for (std::int64_t p = 0; p < count; ++p) {
      const Moments m = position_moments<Block>(from + p * step, columns, stride);
      mean[static_cast<std::size_t>(p)] = m.mean;
      scale[static_cast<std::size_t>(p)] = 1.0F / std::sqrt(m.variance + eps);
    }
    for (std::int64_t i = 0; i < columns; ++i) {
      Out* to = y + i * stride + first * step;
      float* values = written.values(to);
      for (std::int64_t p = 0; p < count; ++p) {
        const float center = mean[static_cast<std::size_t>(p)];
        const float factor = scale[static_cast<std::size_t>(p)];
        for (std::int64_t j = 0; j < Block; ++j) {
          const float normal = (from[i * stride + p * step + j] - center) * factor;
          values[p * Block + j] = normal * weight[i * Block + j] + bias[i * Block + j];
        }
      }
      apply_curve<Curve::silu>(values, values, count * Block);
      written.write(to, count);
    }
  }
}

// What the loops above become for each block and count of columns, once for every vector width.
// NOLINTBEGIN(bugprone-macro-parentheses): a type in parentheses is none
#define SRDIFF_SCALED(NAME, BLOCK, COUNT, OUT)                                                   \
  SRDIFF_EVERY_VECTOR_WIDTH void scaled_##NAME(const float* x, OUT* y, std::int64_t pixels,      \
                                               std::int64_t step, const float* scale,            \
                                               const float* offset) {                            \
    scaled<BLOCK, COUNT, false>(x, y, pixels, step, scale, offset);                              \
  }                                                                                              \
  SRDIFF_EVERY_VECTOR_WIDTH void scaled_silu_##NAME(const float* x, OUT* y, std::int64_t pixels, \
                                                    std::int64_t step, const float* scale,       \
                                                    const float* offset) {                       \
    scaled<BLOCK, COUNT, true>(x, y, pixels, step, scale, offset);                               \
  }
SRDIFF_SCALED(8, 8, 1, float)
SRDIFF_SCALED(16, 16, 1, float)
SRDIFF_SCALED(8_bf16, 8, 1, std::uint16_t)
SRDIFF_SCALED(16_bf16, 16, 1, std::uint16_t)
SRDIFF_SCALED(16_by_2_bf16, 16, 2, std::uint16_t)
SRDIFF_SCALED(16_by_4_bf16, 16, 4, std::uint16_t)
#undef SRDIFF_SCALED

#define SRDIFF_NORM_POSITIONS(NAME, BLOCK, OUT)                                                 \
  SRDIFF_EVERY_VECTOR_WIDTH void norm_positions_##NAME(                                         \
      const float* x, OUT* y, std::int64_t positions, std::int64_t step, std::int64_t columns,  \
      std::int64_t stride, const float* weight, const float* bias, float eps) {                 \
    norm_positions_in_blocks<BLOCK>(x, y, positions, step, columns, stride, weight, bias, eps); \
  }
SRDIFF_NORM_POSITIONS(8, 8, float)
SRDIFF_NORM_POSITIONS(16, 16, float)
SRDIFF_NORM_POSITIONS(8_bf16, 8, std::uint16_t)
SRDIFF_NORM_POSITIONS(16_bf16, 16, std::uint16_t)
#undef SRDIFF_NORM_POSITIONS

#define SRDIFF_MOMENTS(NAME, BLOCK, COUNT)                                                   \
  SRDIFF_EVERY_VECTOR_WIDTH void piece_moments_##NAME(                                       \
      const float* x, std::int64_t pixels, std::int64_t step, float* mean, float* squares) { \
    piece_moments<BLOCK, COUNT>(x, pixels, step, mean, squares);                             \
  }
SRDIFF_MOMENTS(8, 8, 1)
SRDIFF_MOMENTS(16, 16, 1)
SRDIFF_MOMENTS(16_by_2, 16, 2)
SRDIFF_MOMENTS(16_by_4, 16, 4)
#undef SRDIFF_MOMENTS
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace

template <typename Out>
ColumnLoops<Out> column_loops(std::int64_t block, std::int64_t together) {
  if constexpr (std::is_same_v<Out, float>) {
    return block == 16 ? ColumnLoops<Out>{piece_moments_16, scaled_16, scaled_silu_16}
                       : ColumnLoops<Out>{piece_moments_8, scaled_8, scaled_silu_8};
  } else {
    if (together == 4) {
      return {piece_moments_16_by_4, scaled_16_by_4_bf16, scaled_silu_16_by_4_bf16};
    }
    if (together == 2) {
      return {piece_moments_16_by_2, scaled_16_by_2_bf16, scaled_silu_16_by_2_bf16};
    }
    return block == 16 ? ColumnLoops<Out>{piece_moments_16, scaled_16_bf16, scaled_silu_16_bf16}
                       : ColumnLoops<Out>{piece_moments_8, scaled_8_bf16, scaled_silu_8_bf16};
  }
}

template <typename Out>
PositionsLoop<Out> norm_positions_loop(std::int64_t block) {
  if constexpr (std::is_same_v<Out, float>) {
    return block == 16 ? norm_positions_16 : norm_positions_8;
  } else {
    return block == 16 ? norm_positions_16_bf16 : norm_positions_8_bf16;
  }
}

template ColumnLoops<float> column_loops(std::int64_t block, std::int64_t together);
template ColumnLoops<std::uint16_t> column_loops(std::int64_t block, std::int64_t together);
template PositionsLoop<float> norm_positions_loop(std::int64_t block);
template PositionsLoop<std::uint16_t> norm_positions_loop(std::int64_t block);

}  // namespace srdiff::cpu
