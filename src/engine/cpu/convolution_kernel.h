#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "engine/cpu/convolution_geometry.h"

namespace srdiff::cpu {

/// Whether ConvolutionKernels compute in bf16 as fast as this processor can: AMX or AVX512-BF16.
bool has_bf16_convolutions();

/// The kernels of one convolution in blocks of channels (blocked_layout.h) that multiply as often
/// as it is written: oneDNN's, or loops of srdiff's own (convolution_direct.h) in a build without
/// oneDNN. What depends on the weight alone is made once and kept, and anew where a call brings
/// another weight. Several threads may call it at once.
class ConvolutionKernels {
 public:
  /// With `in_bf16` images and weights are rounded to bf16, where has_bf16_convolutions().
  explicit ConvolutionKernels(bool in_bf16);
  ~ConvolutionKernels();
  ConvolutionKernels(const ConvolutionKernels&) = delete;
  ConvolutionKernels& operator=(const ConvolutionKernels&) = delete;

  bool in_bf16() const;

  /// An image in these kernels' blocks, of any type.
  at::Tensor in_these_blocks(const at::Tensor& x) const;
  /// The same, with its channels filled up, and of the type that they read.
  at::Tensor input(const at::Tensor& x) const;

  /// conv2d(x, weight, bias) + addend in blocks, float32, the channels filled up; undefined where
  /// there is no kernel. `x` in any layout; `weight` float32 or fp16, of one group and any count of
  /// channels; `bias` contiguous, of the filled channels; `addend` in these blocks, or undefined.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const ConvolutionGeometry& geometry, const at::Tensor& addend);

  /// conv2d, with a padding of 1, of x upsampled by repeating each pixel twice in both directions.
  /// `weight` [O,C,3,3], O filled already.
  at::Tensor of_upsampled(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace srdiff::cpu
