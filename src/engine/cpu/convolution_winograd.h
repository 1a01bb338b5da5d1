#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace srdiff::cpu {

// 3x3 convolutions, of steps of 1 and with a padding of 1, by Winograd's minimal filtering
// F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308). A tile of 4x4 pixels of the result is
//
//     Aᵀ [ Σ_c (G g_c Gᵀ) ⊙ (Bᵀ d_c B) ] A
//
// of the 6x6 pixels d below it and the filters g: 36 multiplications for each pair of channels in
// the place of 144, as 36 matrix products. Sums are float32; what comes out is some 5e-7 of the
// values' size away from the exact sum, 5 to 10 times as far as a direct convolution's.
//
// Images are in blocks of channel_block() channels (blocked_layout.h), float32.

/// Whether a result [N,O,H,W] of `inputs` channels is computed faster by this algorithm:
/// transformed filters are four times as large, so that each must serve enough tiles, and a
/// transformed tile must be multiplied often enough. Sizes alone decide, so that a picture is
/// always computed in the same way.
bool suits_winograd(const std::vector<std::int64_t>& result, std::int64_t inputs);

/// Transforms filters [O,C,3,3], of any floating-point type on the CPU, O and C multiples of
/// channel_block(), to G g Gᵀ in float32, in the order that winograd_convolution alone reads.
at::Tensor winograd_filters(const at::Tensor& weight);

/// What a convolution takes besides the image and its filters.
struct WinogradInputs {
  std::int64_t outputs;  ///< O
  at::Tensor bias;       ///< [O], contiguous
  at::Tensor addend;     ///< an image of the result's size, contiguous, or undefined
  bool upsamples;        ///< the image is upsampled by 2 first, by repeating each pixel
};

/// conv2d(x) + addend, in blocks: [N,O/b,H,W,b], or [N,O/b,2H,2W,b] of an upsampled image. Does not
/// depend on the number of threads.
at::Tensor winograd_convolution(const at::Tensor& x, const at::Tensor& filters,
                                const WinogradInputs& inputs);

}  // namespace srdiff::cpu
