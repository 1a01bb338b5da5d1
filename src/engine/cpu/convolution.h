#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "engine/cpu/convolution_kernel.h"

namespace srdiff {

/// Whether a weight [O,C,kh,kw] has counts of channels that fill blocks (channel_blocks.h), with as
/// many channels of zeros among them at most.
bool fits_blocks(const at::Tensor& weight);

/// Convolutions from blocks of channels to blocks of float32: by Winograd's algorithm where that is
/// faster (winograd.h), and else by ConvolutionKernels. What depends on a weight (its filters,
/// transformed or in another order, and kernels for an image's size) is made once and kept.
class BlockedConvolutions {
 public:
  BlockedConvolutions();
  /// The same for another thread: kernels and scratch of its own, and the filters in common. These
  /// here may be at work in the meantime.
  BlockedConvolutions for_another_thread() const;
  /// Images and weights are rounded to bf16 for their products; these are summed in float32, and
  /// what comes out is float32. Before the first call.
  void use_bf16();
  bool in_bf16() const;
  /// An image as the convolutions read it, so that they make no copy of their own. `x` is one that
  /// they take.
  at::Tensor prepared(const at::Tensor& x) const;
  ~BlockedConvolutions();
  BlockedConvolutions(BlockedConvolutions&&) noexcept;
  BlockedConvolutions(const BlockedConvolutions&) = delete;
  BlockedConvolutions& operator=(const BlockedConvolutions&) = delete;

  using Steps = ConvolutionSteps;

  /// conv2d(x, weight, bias) + addend, in blocks, or plain where O is no multiple of b; undefined
  /// where that cannot be had: it takes float32 on the CPU (`x` bf16 too, in blocks), one group, a
  /// weight that fits blocks, no addend to a plain result, and a kernel. `x` [N,C,H,W]
  /// in blocks or not. `weight` [O,C,kh,kw], float32 or fp16, must live, unchanged, as long as this
  /// object: it is recognised by its address. `bias` [O] may be undefined, and so may `addend`, an
  /// image of the result's size, in blocks or not.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const Steps& steps, const at::Tensor& addend = {});

  /// conv2d, with a padding of 1, of the image enlarged by repeating each pixel twice in both
  /// directions: in blocks, or undefined as above. `weight` [O,C,3,3], O a multiple of b.
  at::Tensor of_enlarged(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct State;
  explicit BlockedConvolutions(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace srdiff
