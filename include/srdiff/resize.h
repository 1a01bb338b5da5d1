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

}  // namespace srdiff
