#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "srdiff/resize.h"

namespace srdiff {

/// A mask of where detail may be invented, laid over a picture of some size.
///
/// Two things are done to it. A pixel takes the darkest of the mask's pixels that lie under it, and
/// white next to black rises from it over some pixels, so that no edge of the mask is a seam. Both
/// make it darker only: what is black stays black, and what is white stays white but for a rim.
class LaidMask {
 public:
  /// `mask` [h,w] of bytes, 255 white; the picture's size in pixels.
  LaidMask(at::Tensor mask, std::int64_t height, std::int64_t width);

  /// Rows [1,1,n,width] float32 in [0,1] on the CPU. Rows and columns beyond the picture are those
  /// of its edge.
  at::Tensor rows(RowRange rows, std::int64_t width) const;

 private:
  at::Tensor darkest(RowRange rows, std::int64_t left, std::int64_t right) const;

  at::Tensor mask_;
  std::int64_t height_;
  std::int64_t width_;
};

/// white · mask + black · (1 − mask): what is under black is exactly `black`, and under white
/// `white`.
at::Tensor mix(const at::Tensor& white, const at::Tensor& black, const at::Tensor& mask);

}  // namespace srdiff
