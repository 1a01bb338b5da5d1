#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/cpu/convolution_geometry.h"

namespace srdiff::cpu {

// Direct convolutions of any filter and geometry, in float32 and in blocks of channel_block()
// channels (blocked_layout.h): for those that Winograd's algorithm (convolution_winograd.h) does
// not compute.

/// Reorders filters [O,C,kh,kw], of any floating-point type on the CPU, O and C multiples of
/// channel_block(), for direct_convolution, in float32. Nothing else reads that order.
at::Tensor direct_filters(const at::Tensor& weight);

/// conv2d(x, weight, bias) + addend in blocks, of filters of `weight_size` [O,C,kh,kw]. `x` in
/// blocks, contiguous; `bias` [O], contiguous; `addend` in blocks, contiguous, or undefined; one
/// group. Undefined where the result has no pixel. Results do not depend on the number of threads.
at::Tensor direct_convolution(const at::Tensor& x, const at::Tensor& filters,
                              at::IntArrayRef weight_size, const at::Tensor& bias,
                              const ConvolutionGeometry& geometry, const at::Tensor& addend);

}  // namespace srdiff::cpu
