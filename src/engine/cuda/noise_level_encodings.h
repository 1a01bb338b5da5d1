#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/csrc/jit/api/module.h>

#include <unordered_map>

namespace srdiff::cuda {

/// Levels [N] float32 on the device. Those on the CPU that are all the same are made there: a copy
/// from the host would wait for the device's work.
at::Tensor levels_on(c10::Device device, const at::Tensor& levels);

/// What a denoiser's encode_noise_level (docs/MODELS.md) gives of [N] levels.
struct NoiseLevelEncoding {
  at::Tensor embedding;  ///< [N,E] in the network's precision
  at::Tensor scales;     ///< [4,N] or [0,N] float32
};

/// Calls encode_noise_level, and keeps what it gives of each level: some thirty operators on a few
/// values, each of which takes as long as a convolution on a GPU, while the images of a step all
/// have one level, and those of the next folder's pictures have it again. Takes one call at a time.
class NoiseLevelEncodings {
 public:
  /// The module's tensors are on `device`.
  NoiseLevelEncodings(const torch::jit::Module& module, c10::Device device);

  /// Of levels [N] float32. Where they are on the CPU and all the same, one is encoded and the
  /// result expanded to all, so that it need not be contiguous.
  NoiseLevelEncoding operator()(const at::Tensor& levels);

 private:
  NoiseLevelEncoding encode(const at::Tensor& levels) const;

  torch::jit::Module module_;
  c10::Device device_;
  std::unordered_map<float, NoiseLevelEncoding> known_;  ///< of single levels
};

}  // namespace srdiff::cuda
