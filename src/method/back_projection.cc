#include "srdiff/back_projection.h"

#include <ATen/ATen.h>

#include <vector>

#include "srdiff/resize.h"

namespace srdiff {
namespace {

/// Difference of a neutral pixel's channels, at most: a level and a half of 8 bits.
constexpr double neutral_difference = 1.5 / 127.5;

/// What a cell may lose by clipping without being given it back: a tenth of a level.
constexpr double loss_let_be = 0.1 / 127.5;

/// How often it is given back. A halftone of 15 % then has the input's mean to within a level.
constexpr int rounds = 8;

/// Above 1, since some of what is given back is clipped again.
constexpr double gain = 1.5;

/// The mean of 3×3 values.
at::Tensor spread(const at::Tensor& low) {
  return at::avg_pool2d(at::replication_pad2d(low, {1, 1, 1, 1}), {3, 3}, {1, 1});
}

/// One side of `low` made `scale` times as long, by linear interpolation between its values. Each
/// value is computed in the same way wherever it lies, so that a part of a picture gets the whole
/// picture's values.
at::Tensor interpolate_side(const at::Tensor& low, std::int64_t dim, std::int64_t scale) {
  const std::int64_t size = low.size(dim);
  const at::Tensor before = at::cat({low.narrow(dim, 0, 1), low.narrow(dim, 0, size - 1)}, dim);
  const at::Tensor behind =
      at::cat({low.narrow(dim, 1, size - 1), low.narrow(dim, size - 1, 1)}, dim);
  std::vector<at::Tensor> phases;
  for (std::int64_t i = 0; i < scale; ++i) {
    const double offset = (static_cast<double>(i) + 0.5) / static_cast<double>(scale) - 0.5;
    phases.push_back(offset < 0.0 ? low.mul(1.0 + offset).sub(before, offset)
                                  : low.mul(1.0 - offset).add(behind, offset));
  }
  std::vector<std::int64_t> sizes = low.sizes().vec();
  sizes[static_cast<std::size_t>(dim)] *= scale;
  return at::stack(phases, dim + 1).reshape(sizes);
}

at::Tensor interpolate(const at::Tensor& low, std::int64_t scale) {
  return interpolate_side(interpolate_side(low, 2, scale), 3, scale);
}

/// Without colour where the input has none within two pixels: a network that was trained on
/// coloured pictures paints some into a pattern of black and white.
at::Tensor neutral_where_input_is(const at::Tensor& high, const at::Tensor& low,
                                  std::int64_t scale) {
  const at::Tensor coloured = (low.amax(1, true) - low.amin(1, true)).gt(neutral_difference);
  if (coloured.all().item<bool>()) {
    return high;
  }
  const at::Tensor near_colour =
      at::max_pool2d(coloured.to(high.scalar_type()), {5, 5}, {1, 1}, {2, 2});
  const at::Tensor neutral = interpolate(near_colour.neg().add(1.0), scale);
  return high + neutral * (high.mean(1, true) - high);
}

/// Clipped to [−1,1] such that the mean of an input pixel's cell stays what it was, if it can: what
/// is lost where values are clipped is taken from, or given to, the values around.
at::Tensor clip_and_keep_means(const at::Tensor& picture, std::int64_t scale) {
  const at::Tensor means = at::avg_pool2d(picture, {scale, scale});
  at::Tensor clipped = picture.clamp(-1.0, 1.0);
  at::Tensor given = at::zeros_like(means);
  for (int i = 0; i < rounds; ++i) {
    const at::Tensor lost = means - at::avg_pool2d(clipped, {scale, scale});
    const at::Tensor missed = lost.sub(lost.clamp(-loss_let_be, loss_let_be));
    if (!missed.any().item<bool>()) {
      break;
    }
    given.add_(spread(missed), gain);
    clipped = picture.add(interpolate(given, scale)).clamp_(-1.0, 1.0);
  }
  return clipped;
}

}  // namespace

at::Tensor back_project(const at::Tensor& high, const at::Tensor& low) {
  const std::int64_t scale = high.size(2) / low.size(2);
  const at::Tensor start = neutral_where_input_is(high, low, scale);
  const at::Tensor residual = low - resize_bicubic(start, low.size(2), low.size(3));
  return clip_and_keep_means(start + resize_bicubic(residual, high.size(2), high.size(3)), scale);
}

}  // namespace srdiff
