#include "srdiff/back_projection.h"

#include <ATen/ATen.h>

#include "method/cell_interpolation.h"
#include "srdiff/neutral_colours.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

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
    clipped = picture.add(interpolate_cells(given, scale)).clamp_(-1.0, 1.0);
  }
  return clipped;
}

}  // namespace

at::Tensor back_project(const at::Tensor& high, const at::Tensor& low) {
  const std::int64_t scale = high.size(2) / low.size(2);
  const at::Tensor start = keep_neutral(high, low);
  const at::Tensor residual = low - resize_bicubic(start, low.size(2), low.size(3));
  return clip_and_keep_means(start + resize_bicubic(residual, high.size(2), high.size(3)), scale);
}

}  // namespace srdiff
