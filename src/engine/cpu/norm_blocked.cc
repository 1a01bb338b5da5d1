#include "engine/cpu/norm_blocked.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "base/integer_math.h"
#include "engine/cpu/activation.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff {
namespace {

// By columns of `Block` channels whose pixels are `step` values apart (channel_blocks.h).

/// Pixels whose moments are taken together: long sums are cut, and few values stay in the cache for
/// the second pass. The same for both layouts, so that their results are the same bits.
constexpr std::int64_t pixels_of_piece = 256;

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

/// Of a piece of columns side by side, each channel's own mean and sum of squared distances from
/// it.
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

/// Values that are computed as float32 on their way to `y`: float32 itself, or the bits of
/// bfloat16, which are made in a loop of their own, since a compiler vectorises no mixture of both.
template <std::int64_t Block, typename Out>
class Written {
 public:
  explicit Written(std::int64_t step)
      : step_(step), in_place_(std::is_same_v<Out, float> && step == Block) {}

  /// Where to put at most `positions_at_once` positions of one column, one after the other.
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

/// `positions` of them.
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
auto norm_positions_loop(std::int64_t block) {
  if constexpr (std::is_same_v<Out, float>) {
    return block == 16 ? norm_positions_16 : norm_positions_8;
  } else {
    return block == 16 ? norm_positions_16_bf16 : norm_positions_8_bf16;
  }
}

/// The moments of an image's channels, piece by piece.
struct PieceMoments {
  PieceMoments(std::int64_t of_channels, std::int64_t of_pixels)
      : channels(of_channels),
        pixels(of_pixels),
        pieces(divide_up(of_pixels, pixels_of_piece)),
        mean(static_cast<std::size_t>(channels * pieces)),
        squares(mean.size()) {}

  std::int64_t pixels_of(std::int64_t piece) const {
    return std::min(pixels_of_piece, pixels - piece * pixels_of_piece);
  }
  float* mean_of(std::int64_t piece) { return mean.data() + piece * channels; }
  float* squares_of(std::int64_t piece) { return squares.data() + piece * channels; }

  std::int64_t channels;
  std::int64_t pixels;
  std::int64_t pieces;
  std::vector<float> mean;     ///< [piece][channel]
  std::vector<float> squares;  ///< of distances from that mean
};

/// The moments of each channel as a whole, from those of its pieces (Chan, Golub and LeVeque 1979).
/// `mean` and `squares` are zeros before.
SRDIFF_EVERY_VECTOR_WIDTH void join_pieces(const float* means, const float* squares_of_pieces,
                                           std::int64_t channels, std::int64_t pixels, double* mean,
                                           double* squares) {
  const std::int64_t pieces = divide_up(pixels, pixels_of_piece);
  const auto count = [=](std::int64_t piece) {
    return static_cast<double>(std::min(pixels_of_piece, pixels - piece * pixels_of_piece));
  };
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const double share = count(piece) / static_cast<double>(pixels);
    for (std::int64_t c = 0; c < channels; ++c) {
      mean[c] += share * static_cast<double>(means[piece * channels + c]);
    }
  }
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double d = static_cast<double>(means[piece * channels + c]) - mean[c];
      squares[c] +=
          static_cast<double>(squares_of_pieces[piece * channels + c]) + count(piece) * d * d;
    }
  }
}

/// The scale and offset that normalise channels in groups of `size`.
void group_scales(const PieceMoments& of, std::int64_t size, const float* weight, const float* bias,
                  double eps, float* scale, float* offset) {
  std::vector<double> mean(static_cast<std::size_t>(of.channels));
  std::vector<double> squares(mean.size());
  join_pieces(of.mean.data(), of.squares.data(), of.channels, of.pixels, mean.data(),
              squares.data());
  for (std::int64_t first = 0; first < of.channels; first += size) {
    const auto begin = static_cast<std::size_t>(first);
    const auto end = static_cast<std::size_t>(first + size);
    double center = 0.0;
    for (std::size_t c = begin; c < end; ++c) {
      center += mean[c];
    }
    center /= static_cast<double>(size);
    double spread = 0.0;
    for (std::size_t c = begin; c < end; ++c) {
      const double d = mean[c] - center;
      spread += squares[c] + static_cast<double>(of.pixels) * d * d;
    }
    const double inverse = 1.0 / std::sqrt(spread / static_cast<double>(size * of.pixels) + eps);
    for (std::size_t c = begin; c < end; ++c) {
      const double a = inverse * static_cast<double>(weight[c]);
      scale[c] = static_cast<float>(a);
      offset[c] = static_cast<float>(static_cast<double>(bias[c]) - center * a);
    }
  }
}

/// What a group norm needs of an image in blocks and of its groups.
struct GroupNorm {
  Columns columns;
  std::int64_t channels;
  std::int64_t size;  ///< channels of a group
  const float* weight;
  const float* bias;
  double eps;
  bool with_silu;
};

/// Normalises the columns from `first` on, `count` of them, which hold whole groups.
template <typename Out>
void norm_columns(const float* x, Out* y, const GroupNorm& norm, std::int64_t first,
                  std::int64_t count) {
  const std::int64_t lanes = norm.columns.lanes;
  const std::int64_t step = norm.columns.step;
  const std::int64_t pixels = norm.columns.pixels;
  const std::int64_t channel = first * lanes;
  PieceMoments moments(count * lanes, pixels);
  const ColumnLoops<Out> loops = column_loops<Out>(lanes, 1);
  for (std::int64_t i = 0; i < count; ++i) {
    const float* column = x + norm.columns.start(first + i);
    for (std::int64_t piece = 0; piece < moments.pieces; ++piece) {
      loops.moments(column + piece * pixels_of_piece * step, moments.pixels_of(piece), step,
                    moments.mean_of(piece) + i * lanes, moments.squares_of(piece) + i * lanes);
    }
  }
  std::vector<float> scale(static_cast<std::size_t>(moments.channels));
  std::vector<float> offset(scale.size());
  group_scales(moments, norm.size, norm.weight + channel, norm.bias + channel, norm.eps,
               scale.data(), offset.data());
  const auto apply = norm.with_silu ? loops.scaled_silu : loops.scaled;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t start = norm.columns.start(first + i);
    apply(x + start, y + start, pixels, step, scale.data() + i * lanes, offset.data() + i * lanes);
  }
}

/// Images in blocks of b channels: a thread has whole groups, whose values are still in its cache
/// when it writes them.
template <typename Out>
void norm_by_columns(const float* x, Out* y, std::int64_t images, const GroupNorm& norm) {
  const std::int64_t lanes = norm.columns.lanes;
  const std::int64_t unit = std::max<std::int64_t>(1, std::lcm(norm.size, lanes) / lanes);
  const std::int64_t units = norm.columns.count / unit;
  const std::int64_t values = unit * lanes * norm.columns.pixels;
  at::parallel_for(0, images * units, pieces_for_a_thread(values),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t image = i / units * units * values;
                       norm_columns(x + image, y + image, norm, i % units * unit, unit);
                     }
                   });
}

/// Images in one block of all channels, where a pixel's lie together: a thread has whole pixels, as
/// it had in the convolution that wrote them.
template <typename Out>
void norm_by_pixels(const float* x, Out* y, std::int64_t images, const GroupNorm& norm) {
  const std::int64_t lanes = norm.columns.lanes;
  const std::int64_t step = norm.columns.step;
  const std::int64_t pixels = norm.columns.pixels;
  const bool side_by_side = lanes == 16 && std::is_same_v<Out, std::uint16_t>;
  const std::int64_t together =
      side_by_side ? std::gcd(norm.columns.count, std::int64_t{4}) : std::int64_t{1};
  const ColumnLoops<Out> loops = column_loops<Out>(lanes, together);
  std::vector<PieceMoments> moments(static_cast<std::size_t>(images),
                                    PieceMoments(norm.channels, pixels));
  const std::int64_t pieces = moments[0].pieces;
  const auto for_each_piece = [&](const auto& use) {
    at::parallel_for(0, images * pieces, pieces_for_a_thread(pixels_of_piece * norm.channels),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t i = begin; i < end; ++i) {
                         const std::int64_t image = i / pieces;
                         const std::int64_t start =
                             (image * pixels + i % pieces * pixels_of_piece) * step;
                         for (std::int64_t c = 0; c < norm.channels; c += together * lanes) {
                           use(image, i % pieces, start, c);
                         }
                       }
                     });
  };
  for_each_piece([&](std::int64_t image, std::int64_t piece, std::int64_t start, std::int64_t c) {
    PieceMoments& of = moments[static_cast<std::size_t>(image)];
    loops.moments(x + start + c, of.pixels_of(piece), step, of.mean_of(piece) + c,
                  of.squares_of(piece) + c);
  });
  std::vector<float> scale(static_cast<std::size_t>(images * norm.channels));
  std::vector<float> offset(scale.size());
  for (std::int64_t image = 0; image < images; ++image) {
    group_scales(moments[static_cast<std::size_t>(image)], norm.size, norm.weight, norm.bias,
                 norm.eps, scale.data() + image * norm.channels,
                 offset.data() + image * norm.channels);
  }
  const auto apply = norm.with_silu ? loops.scaled_silu : loops.scaled;
  for_each_piece([&](std::int64_t image, std::int64_t piece, std::int64_t start, std::int64_t c) {
    const std::int64_t channel = image * norm.channels + c;
    apply(x + start + c, y + start + c, moments[0].pixels_of(piece), step, scale.data() + channel,
          offset.data() + channel);
  });
}

template <typename Out>
at::Tensor group_norm_of_type(const at::Tensor& blocks, std::int64_t groups,
                              const c10::optional<at::Tensor>& weight,
                              const c10::optional<at::Tensor>& bias, double eps, bool with_silu,
                              c10::ScalarType type) {
  const at::Tensor x = blocks.contiguous();
  const Columns columns(x);
  const std::int64_t channels = x.size(1) * x.size(4);
  TORCH_CHECK(groups > 0 && channels % groups == 0, "group norm: ", channels,
              " channels do not divide into ", groups, " groups");
  const at::Tensor w = per_channel(weight, channels, 1.0);
  const at::Tensor b = per_channel(bias, channels, 0.0);
  const GroupNorm norm = {
      columns, channels, channels / groups, w.data_ptr<float>(), b.data_ptr<float>(),
      eps,     with_silu};
  at::Tensor y = at::empty_like(x, x.options().dtype(type));
  if (x.numel() > 0) {
    const auto run = columns.step == columns.lanes ? norm_by_columns<Out> : norm_by_pixels<Out>;
    run(x.data_ptr<float>(), static_cast<Out*>(y.data_ptr()), x.size(0), norm);
  }
  return y;
}

template <typename Out>
at::Tensor pixel_norm_of_type(const at::Tensor& blocks, const c10::optional<at::Tensor>& weight,
                              const c10::optional<at::Tensor>& bias, double eps,
                              c10::ScalarType type) {
  const at::Tensor x = blocks.contiguous();
  const Columns columns(x);
  const std::int64_t channels = columns.count * columns.lanes;
  const std::int64_t stride = columns.count > 1 ? columns.start(1) : 0;
  const auto loop = norm_positions_loop<Out>(columns.lanes);
  const at::Tensor w = per_channel(weight, channels, 1.0);
  const at::Tensor b = per_channel(bias, channels, 0.0);
  at::Tensor y = at::empty_like(x, x.options().dtype(type));
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  for (std::int64_t image = 0; image < x.size(0); ++image) {
    const auto* from = x.data_ptr<float>() + image * channels * columns.pixels;
    auto* to = static_cast<Out*>(y.data_ptr()) + image * channels * columns.pixels;
    at::parallel_for(0, columns.pixels, pieces_for_a_thread(channels),
                     [&](std::int64_t begin, std::int64_t end) {
                       loop(from + begin * columns.step, to + begin * columns.step, end - begin,
                            columns.step, columns.count, stride, weights, biases,
                            static_cast<float>(eps));
                     });
  }
  return y;
}

}  // namespace

at::Tensor group_norm_in_blocks(const at::Tensor& blocks, std::int64_t groups,
                                const c10::optional<at::Tensor>& weight,
                                const c10::optional<at::Tensor>& bias, double eps, bool with_silu,
                                c10::ScalarType type) {
  const auto norm =
      type == c10::kBFloat16 ? group_norm_of_type<std::uint16_t> : group_norm_of_type<float>;
  return norm(blocks, groups, weight, bias, eps, with_silu, type);
}

at::Tensor pixel_norm_silu_in_blocks(const at::Tensor& blocks,
                                     const c10::optional<at::Tensor>& weight,
                                     const c10::optional<at::Tensor>& bias, double eps,
                                     c10::ScalarType type) {
  const auto norm =
      type == c10::kBFloat16 ? pixel_norm_of_type<std::uint16_t> : pixel_norm_of_type<float>;
  return norm(blocks, weight, bias, eps, type);
}

}  // namespace srdiff
