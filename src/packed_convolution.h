#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <map>
#include <vector>

namespace srdiff {

/// Convolutions of float32 on the CPU whose weights are kept in oneDNN's own order. LibTorch
/// reorders them in every call, and sends images of few values to a slower kernel.
class PackedConvolutions {
 public:
  /// conv2d. `weight`, float32 or fp16, must live, unchanged, as long as this object: it is
  /// recognised by its address.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                        std::int64_t groups);

 private:
  struct Packed {
    at::Tensor for_nchw;             ///< weights in oneDNN's order for any size
    c10::IValue for_channels_last;   ///< oneDNN's context for one size
    std::vector<std::int64_t> size;  ///< of the image that the context is for
  };
  std::map<const void*, Packed> packed_;
};

}  // namespace srdiff
