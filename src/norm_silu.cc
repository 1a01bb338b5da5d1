#include "norm_silu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "channel_blocks.h"
#include "vector_width.h"

namespace srdiff {
namespace {

/// Sums are kept in this many parts, so that a loop over them is one vector operation.
constexpr std::int64_t lanes = 16;
using Lanes = std::array<float, lanes>;
template <std::int64_t Width>
using Values = typename Vector<Width>::Floats;
using Floats = Values<lanes>;

template <typename Of>
SRDIFF_INLINE void load(const float* x, Of& values) {
  std::memcpy(&values, x, sizeof(values));
}

template <typename Of>
SRDIFF_INLINE void store(const Of& values, float* x) {
  std::memcpy(x, &values, sizeof(values));
}

/// `limit` in place of x where `excess` is negative. By sign bits: GCC takes comparisons of vectors
/// apart into those of single values where they are wider than the processor's.
template <std::int64_t Width>
SRDIFF_INLINE void limit_where_negative(const Values<Width>& excess, float limit,
                                        Values<Width>& x) {
  using Floats = Values<Width>;
  using Integers = typename Vector<Width>::Integers;
  const Floats limits = Floats{} + limit;
  const Integers negative = reinterpret_cast<Integers>(excess) >> 31;
  x = reinterpret_cast<Floats>((negative & reinterpret_cast<Integers>(limits)) |
                               (~negative & reinterpret_cast<Integers>(x)));
}

/// 1 + e^-x in place of x, the exponential within 2 units in the last place. Vectors, since
/// compilers make jumps of its comparisons and then none of a loop over it.
template <std::int64_t Width>
SRDIFF_INLINE void one_plus_exp_of_minus(Values<Width>& x) {
  using Floats = Values<Width>;
  using Integers = typename Vector<Width>::Integers;
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float to_integer = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
  constexpr float limit = 87.0F;             // beyond, 2^n is no normal number
  Floats minus_x = -x;
  limit_where_negative<Width>(minus_x + limit, -limit, minus_x);
  limit_where_negative<Width>(limit - minus_x, limit, minus_x);
  const Floats n = (minus_x * log2_e + to_integer) - to_integer;
  const Floats r = (minus_x - n * ln2_high) - n * ln2_low;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;  // Cephes' polynomial for expf
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
  x = 1.0F + p * reinterpret_cast<Floats>(exponent);
}

enum class Curve { silu, sigmoid };

/// y = x / (1 + e^-x) or 1 / (1 + e^-x) of each value; y may be x. What a value gives does not
/// depend on where among the others it stands.
template <Curve Of>
SRDIFF_INLINE void apply(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += lanes) {
    const std::int64_t here = std::min(lanes, count - i);
    Floats values{};
    if (here == lanes) {  // of a size known to the compiler
      load(x + i, values);
    } else {
      std::memcpy(&values, x + i, static_cast<std::size_t>(here) * sizeof(float));
    }
    Floats divisor = values;
    one_plus_exp_of_minus<lanes>(divisor);
    const Floats result = (Of == Curve::silu ? values : Floats{} + 1.0F) / divisor;
    if (here == lanes) {
      store(result, y + i);
    } else {
      std::memcpy(y + i, &result, static_cast<std::size_t>(here) * sizeof(float));
    }
  }
}

SRDIFF_EVERY_VECTOR_WIDTH void silu_values(const float* x, float* y, std::int64_t count) {
  apply<Curve::silu>(x, y, count);
}

SRDIFF_EVERY_VECTOR_WIDTH void sigmoid_values(const float* x, float* y, std::int64_t count) {
  apply<Curve::sigmoid>(x, y, count);
}

template <std::size_t Count>
float sum(const std::array<float, Count>& parts) {
  float total = 0.0F;
  for (const float part : parts) {
    total += part;
  }
  return total;
}

struct Moments {
  float mean;
  float variance;
};

/// In two passes: the second is over values that are in the cache, and cancels nothing.
SRDIFF_INLINE Moments moments(const float* x, std::int64_t count) {
  const std::int64_t whole = count - count % lanes;
  // Long sums are cut: a float that has grown loses what is added to it.
  constexpr std::int64_t piece = 1024 * lanes;
  double total = 0.0;
  for (std::int64_t first = 0; first < whole; first += piece) {
    const std::int64_t end = first + piece < whole ? first + piece : whole;
    Lanes parts{};
    for (std::int64_t i = first; i < end; i += lanes) {
      for (std::int64_t j = 0; j < lanes; ++j) {
        parts[static_cast<std::size_t>(j)] += x[i + j];
      }
    }
    total += static_cast<double>(sum(parts));
  }
  for (std::int64_t i = whole; i < count; ++i) {
    total += static_cast<double>(x[i]);
  }
  const auto mean = static_cast<float>(total / static_cast<double>(count));
  total = 0.0;
  for (std::int64_t first = 0; first < whole; first += piece) {
    const std::int64_t end = first + piece < whole ? first + piece : whole;
    Lanes parts{};
    for (std::int64_t i = first; i < end; i += lanes) {
      for (std::int64_t j = 0; j < lanes; ++j) {
        const float d = x[i + j] - mean;
        parts[static_cast<std::size_t>(j)] += d * d;
      }
    }
    total += static_cast<double>(sum(parts));
  }
  for (std::int64_t i = whole; i < count; ++i) {
    const float d = x[i] - mean;
    total += static_cast<double>(d) * static_cast<double>(d);
  }
  return {mean, static_cast<float>(total / static_cast<double>(count))};
}

/// Values that are normalised before silu passes over them: few enough for the first cache.
constexpr std::int64_t values_at_once = 1024;

/// One group: `channels` of `pixels` values each, one after the other.
SRDIFF_EVERY_VECTOR_WIDTH void norm_group(const float* x, float* y, std::int64_t channels,
                                          std::int64_t pixels, const float* weight,
                                          const float* bias, float eps) {
  const Moments m = moments(x, channels * pixels);
  const float scale = 1.0F / std::sqrt(m.variance + eps);
  for (std::int64_t c = 0; c < channels; ++c) {
    const float a = scale * weight[c];
    const float b = bias[c] - m.mean * a;
    const float* from = x + c * pixels;
    float* to = y + c * pixels;
    for (std::int64_t first = 0; first < pixels; first += values_at_once) {
      const std::int64_t end = std::min(first + values_at_once, pixels);
      for (std::int64_t i = first; i < end; ++i) {
        to[i] = from[i] * a + b;
      }
      apply<Curve::silu>(to + first, to + first, end - first);
    }
  }
}

/// `positions` of `channels` values each, one after the other.
SRDIFF_EVERY_VECTOR_WIDTH void norm_positions(const float* x, float* y, std::int64_t positions,
                                              std::int64_t channels, const float* weight,
                                              const float* bias, float eps) {
  for (std::int64_t p = 0; p < positions; ++p) {
    const float* from = x + p * channels;
    float* to = y + p * channels;
    const Moments m = moments(from, channels);
    const float scale = 1.0F / std::sqrt(m.variance + eps);
    for (std::int64_t c = 0; c < channels; ++c) {
      to[c] = (from[c] - m.mean) * scale * weight[c] + bias[c];
    }
    apply<Curve::silu>(to, to, channels);
  }
}

// ---- In blocks, by columns of `Block` channels whose pixels are `step` values apart
// (channel_blocks.h) ----

/// Adds `term` of each pixel's channels in a column to `total`.
template <std::int64_t Block, typename Term>
SRDIFF_INLINE void add_up(const float* x, std::int64_t pixels, std::int64_t step, const Term& term,
                          std::array<double, Block>& total) {
  constexpr std::int64_t piece = 1024;  // long sums are cut, as above
  constexpr std::size_t sums = 4;       // an addition does not wait for the one before it
  for (std::int64_t first = 0; first < pixels; first += piece) {
    const std::int64_t end = std::min(first + piece, pixels);
    std::array<Values<Block>, sums> part{};
    std::int64_t p = first;
    const auto add = [&](Values<Block>& to) {
      Values<Block> values;
      load(x + p * step, values);
      term(values);
      to += values;
      ++p;
    };
    while (p + static_cast<std::int64_t>(sums) <= end) {
      add(part[0]);
      add(part[1]);
      add(part[2]);
      add(part[3]);
    }
    while (p < end) {
      add(part[0]);
    }
    const Values<Block> all = (part[0] + part[1]) + (part[2] + part[3]);
    for (std::size_t j = 0; j < Block; ++j) {
      total[j] += static_cast<double>(all[j]);
    }
  }
}

/// Of one column, each channel's own mean and sum of squared distances from it.
template <std::int64_t Block>
SRDIFF_INLINE void channel_moments(const float* x, std::int64_t pixels, std::int64_t step,
                                   double* mean, double* squares) {
  std::array<double, Block> total{};
  add_up<Block>(
      x, pixels, step, [](Values<Block>& /*values*/) {}, total);
  Values<Block> center{};
  for (std::size_t j = 0; j < Block; ++j) {
    center[j] = static_cast<float>(total[j] / static_cast<double>(pixels));
    mean[j] = static_cast<double>(center[j]);
  }
  total = {};
  const auto square = [&center](Values<Block>& values) {
    const Values<Block> distance = values - center;
    values = distance * distance;
  };
  add_up<Block>(x, pixels, step, square, total);
  std::copy(total.begin(), total.end(), squares);
}

/// Positions of a column that are normalised together.
constexpr std::int64_t positions_at_once = values_at_once / lanes;

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

template <std::int64_t Block, bool Silu, typename Out>
SRDIFF_INLINE void scaled(const float* x, Out* y, std::int64_t pixels, std::int64_t step,
                          const float* scale, const float* offset) {
  Values<Block> a;
  Values<Block> b;
  load(scale, a);
  load(offset, b);
  Written<Block, Out> written(step);
  for (std::int64_t first = 0; first < pixels; first += positions_at_once) {
    const std::int64_t count = std::min(positions_at_once, pixels - first);
    const float* from = x + first * step;
    float* to = written.values(y + first * step);
    for (std::int64_t p = 0; p < count; ++p) {
      Values<Block> values;
      load(from + p * step, values);
      values = values * a + b;
      if constexpr (Silu) {
        Values<Block> divisor = values;
        one_plus_exp_of_minus<Block>(divisor);
        values /= divisor;
      }
      store(values, to + p * Block);
    }
    written.write(y + first * step, count);
  }
}

/// The moments of one position: `columns` of channels, `stride` floats apart.
template <std::int64_t Block>
SRDIFF_INLINE Moments position_moments(const float* x, std::int64_t columns, std::int64_t stride) {
  const auto channels = static_cast<float>(columns * Block);
  std::array<float, Block> part{};
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < Block; ++j) {
      part[static_cast<std::size_t>(j)] += x[i * stride + j];
    }
  }
  const float mean = sum(part) / channels;
  part = {};
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < Block; ++j) {
      const float d = x[i * stride + j] - mean;
      part[static_cast<std::size_t>(j)] += d * d;
    }
  }
  return {mean, sum(part) / channels};
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
      apply<Curve::silu>(values, values, count * Block);
      written.write(to, count);
    }
  }
}

// What the loops above become for each block, once for every vector width.
// NOLINTBEGIN(bugprone-macro-parentheses): a type in parentheses is none
#define SRDIFF_NORM_LOOPS(NAME, BLOCK, OUT)                                                      \
  SRDIFF_EVERY_VECTOR_WIDTH void scaled_##NAME(const float* x, OUT* y, std::int64_t pixels,      \
                                               std::int64_t step, const float* scale,            \
                                               const float* offset) {                            \
    scaled<BLOCK, false>(x, y, pixels, step, scale, offset);                                     \
  }                                                                                              \
  SRDIFF_EVERY_VECTOR_WIDTH void scaled_silu_##NAME(const float* x, OUT* y, std::int64_t pixels, \
                                                    std::int64_t step, const float* scale,       \
                                                    const float* offset) {                       \
    scaled<BLOCK, true>(x, y, pixels, step, scale, offset);                                      \
  }                                                                                              \
  SRDIFF_EVERY_VECTOR_WIDTH void norm_positions_##NAME(                                          \
      const float* x, OUT* y, std::int64_t positions, std::int64_t step, std::int64_t columns,   \
      std::int64_t stride, const float* weight, const float* bias, float eps) {                  \
    norm_positions_in_blocks<BLOCK>(x, y, positions, step, columns, stride, weight, bias, eps);  \
  }
SRDIFF_NORM_LOOPS(8, 8, float)
SRDIFF_NORM_LOOPS(16, 16, float)
SRDIFF_NORM_LOOPS(8_bf16, 8, std::uint16_t)
SRDIFF_NORM_LOOPS(16_bf16, 16, std::uint16_t)
#undef SRDIFF_NORM_LOOPS
// NOLINTEND(bugprone-macro-parentheses)

SRDIFF_EVERY_VECTOR_WIDTH void channel_moments_8(const float* x, std::int64_t pixels,
                                                 std::int64_t step, double* mean, double* squares) {
  channel_moments<8>(x, pixels, step, mean, squares);
}

SRDIFF_EVERY_VECTOR_WIDTH void channel_moments_16(const float* x, std::int64_t pixels,
                                                  std::int64_t step, double* mean,
                                                  double* squares) {
  channel_moments<16>(x, pixels, step, mean, squares);
}

template <typename Out>
struct NormLoops {
  void (*scaled)(const float*, Out*, std::int64_t, std::int64_t, const float*, const float*);
  void (*scaled_silu)(const float*, Out*, std::int64_t, std::int64_t, const float*, const float*);
  void (*norm_positions)(const float*, Out*, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                         const float*, const float*, float);
};

template <typename Out>
NormLoops<Out> norm_loops(std::int64_t block) {
  if constexpr (std::is_same_v<Out, float>) {
    return block == 16 ? NormLoops<Out>{scaled_16, scaled_silu_16, norm_positions_16}
                       : NormLoops<Out>{scaled_8, scaled_silu_8, norm_positions_8};
  } else {
    return block == 16 ? NormLoops<Out>{scaled_16_bf16, scaled_silu_16_bf16, norm_positions_16_bf16}
                       : NormLoops<Out>{scaled_8_bf16, scaled_silu_8_bf16, norm_positions_8_bf16};
  }
}

/// The scale and offset that normalise one image's channels, from the moments of each.
void group_scales(const double* mean, const double* squares, std::int64_t channels,
                  std::int64_t groups, std::int64_t pixels, const float* weight, const float* bias,
                  double eps, float* scale, float* offset) {
  const std::int64_t size = channels / groups;
  for (std::int64_t first = 0; first < channels; first += size) {
    double center = 0.0;
    for (std::int64_t c = first; c < first + size; ++c) {
      center += mean[c];
    }
    center /= static_cast<double>(size);
    double spread = 0.0;
    for (std::int64_t c = first; c < first + size; ++c) {
      const double d = mean[c] - center;
      spread += squares[c] + static_cast<double>(pixels) * d * d;
    }
    const double variance = spread / static_cast<double>(size * pixels);
    const double inverse = 1.0 / std::sqrt(variance + eps);
    for (std::int64_t c = first; c < first + size; ++c) {
      const double a = inverse * static_cast<double>(weight[c]);
      scale[c] = static_cast<float>(a);
      offset[c] = static_cast<float>(static_cast<double>(bias[c]) - center * a);
    }
  }
}

/// [C] in float32, or all the same value where there is none.
at::Tensor per_channel(const c10::optional<at::Tensor>& values, std::int64_t channels,
                       double otherwise) {
  return values && values->defined() ? values->contiguous() : at::full({channels}, otherwise);
}

/// The groups of one image in blocks, and how these fall together: `unit` columns hold whole
/// groups.
struct ColumnGroups {
  Columns columns;
  std::int64_t channels;
  std::int64_t groups;
  std::int64_t unit;
};

/// Normalises `unit` columns from `first` on, whose moments and scales nothing else needs.
template <typename Out>
void norm_unit(const float* x, Out* y, const ColumnGroups& of, std::int64_t first,
               const float* weight, const float* bias, double eps, bool with_silu) {
  const auto& [lanes_of, step, pixels, count] = of.columns;
  const auto channels = static_cast<std::size_t>(of.unit * lanes_of);
  std::vector<double> mean(channels);
  std::vector<double> squares(channels);
  std::vector<float> scale(channels);
  std::vector<float> offset(channels);
  const auto moments_of = lanes_of == 16 ? channel_moments_16 : channel_moments_8;
  for (std::int64_t i = 0; i < of.unit; ++i) {
    moments_of(x + of.columns.start(first + i), pixels, step, mean.data() + i * lanes_of,
               squares.data() + i * lanes_of);
  }
  group_scales(mean.data(), squares.data(), of.unit * lanes_of,
               of.unit * lanes_of * of.groups / of.channels, pixels, weight, bias, eps,
               scale.data(), offset.data());
  const NormLoops<Out> loops = norm_loops<Out>(lanes_of);
  const auto apply = with_silu ? loops.scaled_silu : loops.scaled;
  for (std::int64_t i = 0; i < of.unit; ++i) {
    const std::int64_t start = of.columns.start(first + i);
    apply(x + start, y + start, pixels, step, scale.data() + i * lanes_of,
          offset.data() + i * lanes_of);
  }
}

template <typename Out>
at::Tensor group_norm_of_type(const at::Tensor& blocks, std::int64_t groups,
                              const c10::optional<at::Tensor>& weight,
                              const c10::optional<at::Tensor>& bias, double eps, bool with_silu,
                              c10::ScalarType type) {
  const at::Tensor x = blocks.contiguous();
  ColumnGroups of{Columns(x), x.size(1) * x.size(4), groups, 0};
  TORCH_CHECK(groups > 0 && of.channels % groups == 0, "group norm: ", of.channels,
              " channels do not divide into ", groups, " groups");
  of.unit = std::lcm(of.channels / groups, of.columns.lanes) / of.columns.lanes;
  const at::Tensor w = per_channel(weight, of.channels, 1.0);
  const at::Tensor b = per_channel(bias, of.channels, 0.0);
  at::Tensor y = at::empty_like(x, x.options().dtype(type));
  const auto* from = x.data_ptr<float>();
  auto* to = static_cast<Out*>(y.data_ptr());
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  const std::int64_t units = of.columns.count / of.unit;
  const std::int64_t values = of.unit * of.columns.lanes * of.columns.pixels;
  at::parallel_for(0, x.size(0) * units, pieces_for_a_thread(values),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t image = i / units * units * values;
                       const std::int64_t column = i % units * of.unit;
                       const std::int64_t channel = column * of.columns.lanes;
                       norm_unit(from + image, to + image, of, column, weights + channel,
                                 biases + channel, eps, with_silu);
                     }
                   });
  return y;
}

at::Tensor group_norm_in_blocks(const at::Tensor& blocks, std::int64_t groups,
                                const c10::optional<at::Tensor>& weight,
                                const c10::optional<at::Tensor>& bias, double eps, bool with_silu,
                                c10::ScalarType type) {
  const auto norm =
      type == c10::kBFloat16 ? group_norm_of_type<std::uint16_t> : group_norm_of_type<float>;
  return norm(blocks, groups, weight, bias, eps, with_silu, type);
}

template <typename Out>
at::Tensor pixel_norm_silu_in_blocks(const at::Tensor& blocks,
                                     const c10::optional<at::Tensor>& weight,
                                     const c10::optional<at::Tensor>& bias, double eps,
                                     c10::ScalarType type) {
  const at::Tensor x = blocks.contiguous();
  const Columns columns(x);
  const std::int64_t channels = columns.count * columns.lanes;
  const std::int64_t stride = columns.count > 1 ? columns.start(1) : 0;
  const NormLoops<Out> loops = norm_loops<Out>(columns.lanes);
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
                       loops.norm_positions(from + begin * columns.step, to + begin * columns.step,
                                            end - begin, columns.step, columns.count, stride,
                                            weights, biases, static_cast<float>(eps));
                     });
  }
  return y;
}

/// `loop` over all values, in the layout that they have; undefined where it cannot read them.
at::Tensor of_each_value(const at::Tensor& x, void (*loop)(const float*, float*, std::int64_t)) {
  if (!x.device().is_cpu() || x.scalar_type() != c10::kFloat || !x.is_non_overlapping_and_dense()) {
    return {};
  }
  at::Tensor y = at::empty_like(x);
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  at::parallel_for(0, x.numel(), pieces_for_a_thread(1), [&](std::int64_t begin, std::int64_t end) {
    loop(from + begin, to + begin, end - begin);
  });
  return y;
}

}  // namespace

at::Tensor silu_of_each(const at::Tensor& x) {
  const at::Tensor y = of_each_value(x, silu_values);
  return y.defined() ? y : at::silu(x);
}

at::Tensor sigmoid_of_each(const at::Tensor& x) {
  const at::Tensor y = of_each_value(x, sigmoid_values);
  return y.defined() ? y : at::sigmoid(x);
}

at::Tensor group_norm_in_any_layout(const at::Tensor& x, std::int64_t groups,
                                    const c10::optional<at::Tensor>& weight,
                                    const c10::optional<at::Tensor>& bias, double eps,
                                    c10::ScalarType type) {
  if (!in_blocks(x)) {
    return at::group_norm(x, groups, weight, bias, eps);
  }
  return group_norm_in_blocks(x, groups, weight, bias, eps, false, type);
}

at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups,
                           const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type) {
  if (in_blocks(x)) {
    return group_norm_in_blocks(x, groups, weight, bias, eps, true, type);
  }
  const bool fits = x.device().is_cpu() && x.scalar_type() == c10::kFloat && x.dim() > 1 &&
                    x.is_contiguous() && groups > 0 && x.size(1) % groups == 0 && x.numel() > 0;
  if (!fits) {
    return silu_of_each(at::group_norm(x, groups, weight, bias, eps));
  }
  const std::int64_t channels = x.size(1) / groups;
  const std::int64_t pixels = x.numel() / x.size(0) / x.size(1);
  const at::Tensor w = per_channel(weight, x.size(1), 1.0);
  const at::Tensor b = per_channel(bias, x.size(1), 0.0);
  at::Tensor y = at::empty_like(x);
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  const std::int64_t grain = pieces_for_a_thread(channels * pixels);
  at::parallel_for(0, x.size(0) * groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i * channels * pixels;
      const std::int64_t channel = i % groups * channels;
      norm_group(from + first, to + first, channels, pixels, weights + channel, biases + channel,
                 static_cast<float>(eps));
    }
  });
  return y;
}

at::Tensor pixel_norm_silu(const at::Tensor& x, const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type) {
  if (in_blocks(x)) {
    return type == c10::kBFloat16
               ? pixel_norm_silu_in_blocks<std::uint16_t>(x, weight, bias, eps, type)
               : pixel_norm_silu_in_blocks<float>(x, weight, bias, eps, type);
  }
  const std::int64_t channels = x.size(1);
  if (!x.device().is_cpu() || x.scalar_type() != c10::kFloat || x.numel() == 0) {
    return silu_of_each(at::layer_norm(x.permute({0, 2, 3, 1}), {channels}, weight, bias, eps))
        .permute({0, 3, 1, 2});
  }
  const at::Tensor image = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = per_channel(weight, channels, 1.0);
  const at::Tensor b = per_channel(bias, channels, 0.0);
  at::Tensor y = at::empty_like(image);
  const auto* from = image.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  at::parallel_for(0, x.numel() / channels, pieces_for_a_thread(channels),
                   [&](std::int64_t begin, std::int64_t end) {
                     norm_positions(from + begin * channels, to + begin * channels, end - begin,
                                    channels, weights, biases, static_cast<float>(eps));
                   });
  return y;
}

}  // namespace srdiff
