#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace srdiff {

// How close two pictures are. Images are [N,C,H,W] float32 in [−1,1], C = 3 for RGB or 1 for luma.
// Figures are those of 8-bit levels with a data range of 255, or of [0,1] with 1. They are computed
// in float64 and returned on the CPU as float64 [N], one an image.
//
// Every function throws UsageError when the shapes differ or a side is below its minimum.

/// Peak signal-to-noise ratio, 10·log10(range² / MSE) in dB over all channels; infinite where
/// equal.
at::Tensor psnr(const at::Tensor& a, const at::Tensor& b);

/// The side that ssim needs: its window's.
constexpr std::int64_t ssim_min_side = 11;

/// Structural similarity (Wang et al. 2004, equation 13): Gaussian window 11×11 with σ = 1.5,
/// K1 = 0.01, K2 = 0.03, over the pixels whose window lies inside the image, mean over channels.
/// scikit-image's with gaussian_weights=True, sigma=1.5, use_sample_covariance=False.
at::Tensor ssim(const at::Tensor& a, const at::Tensor& b);

/// The side that ms_ssim needs: its window's at the coarsest of five scales, each half the last.
constexpr std::int64_t ms_ssim_min_side = 161;

/// Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003, equation 7) over five scales
/// with that paper's weights, each channel for itself, then their mean. Nothing for images with a
/// side below ms_ssim_min_side.
std::optional<at::Tensor> ms_ssim(const at::Tensor& a, const at::Tensor& b);

/// Luma Y' of Rec. 601 in studio range (16…235 of 255), as Matlab's rgb2ycbcr, unrounded: what
/// the super-resolution literature means by PSNR-Y. [N,3,H,W] → [N,1,H,W], both with −1 for 0 and
/// 1 for 255, for psnr and ssim.
at::Tensor luma(const at::Tensor& images);

/// The images without `border` pixels on each side, as the literature crops before PSNR-Y.
/// Throws UsageError when nothing would remain.
at::Tensor crop_border(const at::Tensor& images, std::int64_t border);

/// SR3's consistency (arXiv 2104.07636, section 4): mean squared error, for values in [0,1],
/// between `input` [N,3,h,w] and `output` [N,3,H,W] reduced to its size by antialiased bicubic.
/// That paper lists it × 10⁵; × 255² it is in 8-bit levels.
at::Tensor consistency(const at::Tensor& output, const at::Tensor& input);

/// How sharp `output` [N,3,H,W] is next to `reference`: the mean absolute difference of neighbours
/// across and down, over the reference's. Below 1 blurred, above 1 noisy or oversharpened; infinite
/// or not a number where the reference is flat.
at::Tensor sharpness(const at::Tensor& reference, const at::Tensor& output);

/// How two images differ, pixel by pixel. Differences are for values in [0,1].
struct Difference {
  double largest = 0.0;  ///< over pixels and channels
  std::int64_t x = 0;    ///< where that is, from the left; the first in reading order
  std::int64_t y = 0;    ///< from the top
  std::int64_t channel = 0;
  double mean = 0.0;              ///< of the absolute difference, over pixels and channels
  double different_pixels = 0.0;  ///< part of the pixels, 0…1, with a channel that differs at all
  double failed_pixels = 0.0;  ///< part of the pixels with a channel off by more than `tolerance`
};

/// Compares two images [C,H,W] in [−1,1]. `tolerance` is for values in [0,1]; a difference of
/// exactly that much passes.
Difference difference(const at::Tensor& a, const at::Tensor& b, double tolerance = 0.0);

}  // namespace srdiff
