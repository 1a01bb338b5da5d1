#include "srdiff/neutral_colours.h"

#include <ATen/ATen.h>

#include "method/cell_interpolation.h"

namespace srdiff {
namespace {

/// Largest difference of a pixel's channels up to which it is neutral, and from which it is not.
constexpr double level = 2.0 / 255.0;  // of 8 bits
constexpr double all_neutral = 4.0 * level;
constexpr double not_neutral = 12.0 * level;

at::Tensor luma(const at::Tensor& rgb) {
  return rgb.narrow(1, 0, 1) * 0.299 + rgb.narrow(1, 1, 1) * 0.587 + rgb.narrow(1, 2, 1) * 0.114;
}

/// How neutral the input is within two pixels, from 0 to 1: [N,1,h,w].
at::Tensor neutral_share(const at::Tensor& low) {
  const at::Tensor difference = low.amax(1, true) - low.amin(1, true);
  const at::Tensor coloured =
      difference.sub(all_neutral).div(not_neutral - all_neutral).clamp(0.0, 1.0);
  return at::max_pool2d(coloured, {5, 5}, {1, 1}, {2, 2}).neg().add(1.0);
}

/// The mean chroma of 5×5 pixels: [N,3,h,w].
at::Tensor smooth_chroma(const at::Tensor& low) {
  return at::avg_pool2d(at::replication_pad2d(low - luma(low), {2, 2, 2, 2}), {5, 5}, {1, 1});
}

}  // namespace

at::Tensor keep_neutral(const at::Tensor& high, const at::Tensor& low) {
  const at::Tensor share_of_cells = neutral_share(low);
  if (!share_of_cells.any().item<bool>()) {
    return high;
  }
  const std::int64_t scale = high.size(2) / low.size(2);
  const at::Tensor share = interpolate_cells(share_of_cells, scale);
  // Each cell's by its own share, so that cells which have none hand no colour on to their
  // neighbours.
  const at::Tensor taken = interpolate_cells(share_of_cells * smooth_chroma(low), scale);
  const at::Tensor high_luma = luma(high);
  const at::Tensor fixed =
      (high_luma + taken + (1.0 - share) * (high - high_luma)).clamp(-1.0, 1.0);
  return at::where(share > 0.0, fixed, high);
}

}  // namespace srdiff
