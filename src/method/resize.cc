#include "srdiff/resize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace srdiff {
namespace {

/// Half the width of the cubic kernel, in pixels of the coarser of the two grids.
constexpr double kernel_radius = 2.0;

}  // namespace

at::Tensor resize_bicubic(const at::Tensor& images, std::int64_t height, std::int64_t width) {
  return at::_upsample_bicubic2d_aa(images, {height, width}, /*align_corners=*/false);
}

RowRange rows_to_resize(ResizeRatio ratio, std::int64_t height, RowRange output) {
  const double scale = ratio.value();
  const double reach = kernel_radius * std::max(1.0, 1.0 / scale) + 1.0;
  const auto low = static_cast<double>(output.first) / scale - reach;
  const auto high = static_cast<double>(output.last) / scale + reach;
  // The first row is a multiple of `down`: there a row of the output begins where a row of the
  // input does, so that the cut is resampled at the same positions as the whole picture.
  const std::int64_t first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(low))) /
                             ratio.down * ratio.down;
  return {std::min(first, height), std::min(height, static_cast<std::int64_t>(std::ceil(high)))};
}

at::Tensor resize_bicubic_rows(const at::Tensor& rows, std::int64_t top, std::int64_t height,
                               ResizeRatio ratio, RowRange output, std::int64_t width) {
  const RowRange needed = rows_to_resize(ratio, height, output);
  TORCH_CHECK(needed.first >= top && needed.last <= top + rows.size(2),
              "resize_bicubic_rows lacks rows of its input");
  const at::Tensor cut = rows.slice(2, needed.first - top, needed.last - top);
  const std::int64_t cut_top = needed.first / ratio.down * ratio.up;
  const double scale = ratio.value();
  std::int64_t made = output.last - cut_top;
  // LibTorch 2 ignores the scale and copies the input when the output has the input's height.
  if (made == cut.size(2) && ratio.up != ratio.down) {
    ++made;
  }
  return at::_upsample_bicubic2d_aa(cut, {made, width}, /*align_corners=*/false, scale, scale)
      .slice(2, output.first - cut_top, output.last - cut_top);
}

}  // namespace srdiff
