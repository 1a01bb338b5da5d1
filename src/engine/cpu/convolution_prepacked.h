#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "engine/cpu/convolution_geometry.h"
#include "engine/cpu/jit_memory_check.h"

namespace srdiff::cpu {

/// A convolution of float32 on the CPU that keeps its weight in oneDNN's own order. LibTorch
/// reorders weights in every call, and sends images of few values to a slower kernel. Several
/// threads may call it at once.
class PrepackedConvolution {
 public:
  /// conv2d of images that are not in blocks. `weight` is float32 or fp16; it is reordered at the
  /// first call, and anew where a call brings another tensor.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const ConvolutionGeometry& geometry);

 private:
  /// oneDNN's context for channels_last images of one size.
  struct Context {
    c10::IValue value;
    std::vector<std::int64_t> size;
    at::Tensor bias;
    std::array<std::vector<std::int64_t>, 4> geometry;  ///< stride, padding, dilation, groups
  };

  c10::IValue context(const at::Tensor& x, const at::Tensor& bias,
                      const ConvolutionGeometry& geometry);
  at::Tensor nchw_weight(const ConvolutionGeometry& geometry);

  std::mutex mutex_;  ///< of all that follows
  JitMemoryCheck memory_;
  at::Tensor weight_;  ///< held, so that no other tensor can have its address
  at::Tensor for_nchw_;
  Context for_channels_last_;
};

}  // namespace srdiff::cpu
