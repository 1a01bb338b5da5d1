#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff::cuda {

// What stands before a network's first convolution and behind its last one; rewrite_ends.h puts
// these operators in the place of LibTorch's. On a CUDA device the kernels of kernels/kernels.h
// compute input_patches and output_image, elsewhere LibTorch's operators do, with the same results
// up to rounding.

/// The images that a denoiser is given, and the scales that its encode_noise_level gives of the
/// noise level: a, c_in, c_skip and c_out (docs/MODELS.md).
struct DenoiserImages {
  at::Tensor condition = {};  ///< [N,C,H,W]
  at::Tensor x_t = {};        ///< [N,C,H,W]
  at::Tensor scales = {};     ///< [4,N], or [0,N] without preconditioning
};

/// The images side by side, [N,2C,H,W]: condition and c_in·(x_t / a − condition), or condition and
/// x_t where there are no scales.
at::Tensor denoiser_input(const DenoiserImages& images);

/// condition + c_skip·(x_t / a − condition) + c_out·found, or `found` where there are no scales.
at::Tensor denoiser_output(const at::Tensor& found, const DenoiserImages& images);

/// denoiser_input, or where x_t is undefined the condition alone, with patches of grid x grid
/// pixels as channels (pixel_unshuffle), and 0 in further channels: [N, channels, H / grid,
/// W / grid] of that type in channels_last.
at::Tensor input_patches(const DenoiserImages& images, std::int64_t grid, std::int64_t channels,
                         c10::ScalarType type);

/// denoiser_output of F, or where the condition is undefined F itself. F is x + bias with patches
/// of grid x grid pixels as channels (pixel_shuffle); x may have more channels than `bias`
/// [C·grid²] float32. Gives float32 [N,C,H,W].
at::Tensor output_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                        const DenoiserImages& images);

}  // namespace srdiff::cuda
