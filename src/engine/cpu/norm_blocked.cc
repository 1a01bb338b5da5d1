#include "engine/cpu/norm_blocked.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>
#include <vector>

#include "base/integer_math.h"
#include "engine/cpu/activation.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/norm_blocked_loops.h"
#include "engine/cpu/simd/vector_width.h"

namespace srdiff::cpu {
namespace {

/// Pixels of a piece, whose moments are computed together. Pieces cut long sums, and keep values in
/// the cache for the second pass. Both layouts have the same pieces, so that their results are the
/// same to the bit.
constexpr std::int64_t pixels_of_piece = 256;

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

/// Normalises images in blocks of b channels. A thread takes whole groups, whose values are still
/// in its cache when it writes them.
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

/// Normalises images in one block of all channels. A thread takes whole pixels, as in the
/// convolution that wrote them.
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
at::Tensor layer_norm_of_type(const at::Tensor& blocks, const c10::optional<at::Tensor>& weight,
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

at::Tensor layer_norm_silu_in_blocks(const at::Tensor& blocks,
                                     const c10::optional<at::Tensor>& weight,
                                     const c10::optional<at::Tensor>& bias, double eps,
                                     c10::ScalarType type) {
  const auto norm =
      type == c10::kBFloat16 ? layer_norm_of_type<std::uint16_t> : layer_norm_of_type<float>;
  return norm(blocks, weight, bias, eps, type);
}

}  // namespace srdiff::cpu
