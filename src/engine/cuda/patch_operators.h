#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff::cuda {

// The first and the last operator of a denoiser, which patch_fusion.h puts in the place of
// LibTorch's. On a CUDA device the kernels of kernels/kernels.h compute them, elsewhere LibTorch's
// operators, with the same results up to rounding.

/// What a network is given: the images condition and c_in·(x_t / a − condition), or x_t itself
/// where there is no `a`, or the condition alone.
struct NetworkImages {
  at::Tensor condition;  ///< [N,C,H,W]
  at::Tensor x_t = {};   ///< [N,C,H,W]
  at::Tensor a = {};     ///< [N,1,1,1]
  at::Tensor c_in = {};  ///< [N,1,1,1]
};

/// Both images side by side, patches of grid x grid pixels as channels (pixel_unshuffle), and 0 in
/// further channels: [N, channels, H / grid, W / grid] of that type in channels_last.
at::Tensor input_patches(const NetworkImages& images, std::int64_t grid, std::int64_t channels,
                         c10::ScalarType type);

/// What a network's result F is turned into: base + c_skip·(x_t / a − base) + c_out·F.
struct Preconditioning {
  at::Tensor base = {};    ///< [N,C,H,W]; undefined: F it is
  at::Tensor x_t = {};     ///< [N,C,H,W]
  at::Tensor a = {};       ///< [N,1,1,1]
  at::Tensor c_skip = {};  ///< [N,1,1,1]
  at::Tensor c_out = {};   ///< [N,1,1,1]
};

/// F is x + bias with patches of grid x grid pixels as channels (pixel_shuffle). x may have more
/// channels than `bias` [C·grid²] float32. Gives float32 [N,C,H,W].
at::Tensor output_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                        const Preconditioning& by);

}  // namespace srdiff::cuda
