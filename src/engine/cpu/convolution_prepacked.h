#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace srdiff {

/// Convolutions of float32 on the CPU whose weights are kept in oneDNN's own order. LibTorch
/// reorders them in every call, and sends images of few values to a slower kernel.
class PackedConvolutions {
 public:
  /// The same for another thread, with weights in common. These here may be at work in the
  /// meantime.
  PackedConvolutions for_another_thread() const;

  /// conv2d. `weight`, float32 or fp16, must live, unchanged, as long as this object: it is
  /// recognised by its address.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                        std::int64_t groups);

 private:
  struct Packed {
    at::Tensor for_nchw;             ///< weights in oneDNN's order for any size, as in `shared_`
    c10::IValue for_channels_last;   ///< oneDNN's context for one size
    std::vector<std::int64_t> size;  ///< of the image that the context is for, as the two below
    at::Tensor bias;
    std::array<std::vector<std::int64_t>, 4> steps;  ///< stride, padding, dilation, groups
  };
  /// Weights that all threads read.
  struct Shared {
    std::mutex mutex;
    std::map<const void*, at::Tensor> for_nchw;
  };

  std::map<const void*, Packed> packed_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace srdiff
