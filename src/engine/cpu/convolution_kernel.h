#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "engine/cpu/convolution_geometry.h"

namespace srdiff {

/// Whether ConvolutionKernels compute in bf16 as fast as this processor can: AMX or AVX512-BF16.
bool has_bf16_convolutions();

/// Convolutions in blocks of channels (channel_blocks.h) that multiply as often as they are
/// written: by oneDNN, or by loops of srdiff's own (direct_convolution.h) in a build without it.
/// What depends on a weight is made once and kept; weights are recognised by their addresses, and
/// must live, unchanged, as long as this object.
class ConvolutionKernels {
 public:
  ConvolutionKernels();
  /// The same for another thread: what depends on weights alone is in common.
  ConvolutionKernels for_another_thread() const;
  ~ConvolutionKernels();
  ConvolutionKernels(ConvolutionKernels&&) noexcept;
  ConvolutionKernels(const ConvolutionKernels&) = delete;
  ConvolutionKernels& operator=(const ConvolutionKernels&) = delete;

  /// Images and weights are rounded to bf16, where has_bf16_convolutions(). Before the first call.
  void use_bf16();
  bool in_bf16() const;

  /// An image in these kernels' blocks, of any type.
  at::Tensor in_these_blocks(const at::Tensor& x) const;
  /// The same, with its channels filled up, and of the type that they read.
  at::Tensor input(const at::Tensor& x) const;

  /// conv2d(x, weight, bias) + addend in blocks, float32, the channels filled up; undefined where
  /// there is no kernel. `x` in any layout; `weight` float32 or fp16, of one group and any count of
  /// channels; `bias` contiguous, of the filled channels, or undefined; `addend` in these blocks,
  /// or undefined.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const ConvolutionSteps& steps, const at::Tensor& addend);

  /// conv2d, with a padding of 1, of x enlarged by repeating each pixel twice in both directions.
  /// `weight` [O,C,3,3], O filled already.
  at::Tensor of_enlarged(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct State;
  explicit ConvolutionKernels(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace srdiff
