#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "engine/cpu/convolution_kernel.h"

namespace srdiff::cpu {

/// Whether a weight [O,C,kh,kw] has counts of channels that fill blocks (blocked_layout.h), with as
/// many channels of zeros among them at most.
bool fits_blocks(const at::Tensor& weight);

/// One convolution of a network from blocks of channels to blocks of float32, by the first of its
/// implementations that takes it: Winograd's algorithm where that is faster
/// (convolution_winograd.h), then ConvolutionKernels.
///
/// What depends on the weight (its filters, transformed or in another order, and kernels for an
/// image's size) is made once and kept, and anew where a call brings another tensor as weight.
/// Several threads may call it at once.
class BlockedConvolution {
 public:
  /// With `in_bf16` images and weights are rounded to bf16 for their products; these are summed in
  /// float32, and what comes out is float32.
  explicit BlockedConvolution(bool in_bf16 = false);
  ~BlockedConvolution();
  BlockedConvolution(const BlockedConvolution&) = delete;
  BlockedConvolution& operator=(const BlockedConvolution&) = delete;

  bool in_bf16() const;
  /// An image as the convolution reads it, so that it makes no copy of its own. `x` is one that it
  /// takes.
  at::Tensor prepared(const at::Tensor& x) const;

  /// conv2d(x, weight, bias) + addend, in blocks, or plain where O is no multiple of b; undefined
  /// where that cannot be had: it takes float32 on the CPU (`x` bf16 too, in blocks), one group, a
  /// weight that fits blocks, no addend to a plain result, and a kernel. `x` [N,C,H,W] in blocks or
  /// not. `weight` [O,C,kh,kw], float32 or fp16, does not change while this object lives. `bias`
  /// [O] may be undefined, and so may `addend`, an image of the result's size, in blocks or not.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const ConvolutionGeometry& geometry, const at::Tensor& addend = {});

  /// conv2d, with a padding of 1, of the image upsampled by repeating each pixel twice in both
  /// directions: in blocks, or undefined as above. `weight` [O,C,3,3], O a multiple of b.
  at::Tensor of_upsampled(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace srdiff::cpu
