#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// Antialiased bicubic resampling with a = −0.5: Pillow's BICUBIC, ATen's _upsample_bicubic2d_aa,
/// and the one that SR3 conditions on. OpenCV's and PyTorch's plain bicubic do not antialias and
/// use a = −0.75.
///
/// `images` is [N,C,h,w] float32 of any range; the result is [N,C,height,width] and may overshoot
/// the input's range.
at::Tensor resize_bicubic(const at::Tensor& images, std::int64_t height, std::int64_t width);

/// Output side / input side as a fraction, both above 0.
struct ResizeRatio {
  std::int64_t up = 1;
  std::int64_t down = 1;

  double value() const { return static_cast<double>(up) / static_cast<double>(down); }
};

/// Rows first <= y < last.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// The input rows, of `height`, that a resampling needs for these output rows.
RowRange rows_to_resize(ResizeRatio ratio, std::int64_t height, RowRange output);

/// Some rows of a resampled picture from the rows that they need: `rows` is [N,C,n,w] float32 on
/// the CPU, its first row is row `top` of a picture of `height` rows, and it holds rows_to_resize.
/// → [N,C,last−first,width]. The result is that part of the whole picture's resampling to within
/// rounding.
at::Tensor resize_bicubic_rows(const at::Tensor& rows, std::int64_t top, std::int64_t height,
                               ResizeRatio ratio, RowRange output, std::int64_t width);

}  // namespace srdiff
