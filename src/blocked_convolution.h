#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace srdiff {

/// Whether BlockedConvolutions compute in bf16 as fast as this processor can: AMX or
/// AVX512-BF16.
bool has_bf16_convolutions();

/// Whether a weight [O,C,kh,kw] has counts of channels that fill blocks (channel_blocks.h), with as
/// many channels of zeros among them at most.
bool fits_blocks(const at::Tensor& weight);

/// Convolutions from blocks of channels to blocks of float32. What depends on a weight and an
/// image's size (oneDNN's kernel, the weight in its order) is made once and kept.
class BlockedConvolutions {
 public:
  BlockedConvolutions();
  /// The same for another thread: kernels and scratch of its own, and the weights in oneDNN's order
  /// in common. These here may be at work in the meantime.
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

  struct Steps {
    at::IntArrayRef stride;
    at::IntArrayRef padding;
    at::IntArrayRef dilation;
    std::int64_t groups = 1;
  };

  /// conv2d(x, weight, bias) + addend, in blocks, or plain where O is no multiple of b; undefined
  /// where that cannot be had: it takes float32 on the CPU (`x` bf16 too, in blocks), one group, a
  /// weight that fits blocks, no addend to a plain result, and a kernel of oneDNN's. `x` [N,C,H,W]
  /// in blocks or not. `weight` [O,C,kh,kw], float32 or fp16, must live, unchanged, as long as this
  /// object: it is recognised by its address. `bias` [O] may be undefined, and so may `addend`, an
  /// image of the result's size, in blocks or not.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const Steps& steps, const at::Tensor& addend = {});

  /// conv2d, with a padding of 1, of the image enlarged by repeating each pixel twice in both
  /// directions: in blocks, or undefined as above. `weight` [O,C,3,3], O a multiple of b.
  ///
  /// Each output pixel sees 2x2 pixels of x, with weights that are sums of the filter's: 16
  /// multiplications in the place of 36, by one convolution for all four kinds of output pixels.
  at::Tensor of_enlarged(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct Kernels;
  explicit BlockedConvolutions(std::unique_ptr<Kernels> kernels);
  std::unique_ptr<Kernels> kernels_;
};

}  // namespace srdiff
