#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace srdiff {

/// Images in blocks of channels, [N,C/b,H,W,b] float32 with b the floats of the processor's widest
/// vectors (oneDNN's nChw16c and nChw8c). oneDNN's convolutions are fastest from and to this
/// layout, and leave it unchanged, so that a network can stay in it from its first convolution to
/// its last. Channels of one image lie one after the other: joining images is copying.

/// b: 16 with AVX-512, 8 with AVX2; 0 where srdiff was built without oneDNN or the processor has
/// neither.
std::int64_t channel_block();

/// Whether BlockedConvolutions compute in bf16 as fast as this processor can: AVX512-BF16.
bool has_bf16_convolutions();

/// Whether x is in blocks. Plain images have four dimensions.
inline bool in_blocks(const at::Tensor& x) {
  return x.dim() == 5;
}

/// [N,C,H,W] float32 on the CPU, C a multiple of b → blocks.
at::Tensor to_blocks(const at::Tensor& image);

/// Blocks → [N,C,H,W], contiguous. What is not in blocks is returned as it is.
at::Tensor from_blocks(const at::Tensor& x);

/// Blocks enlarged by repeating each pixel: `factor` times in each direction.
at::Tensor repeat_pixels(const at::Tensor& blocks, std::int64_t factor);

/// Whether a weight [O,C,kh,kw] has counts of channels that fit blocks.
bool fits_blocks(const at::Tensor& weight);

/// Convolutions from blocks to blocks. What depends on a weight and an image's size (oneDNN's
/// kernel, the weight in its order) is made once and kept.
class BlockedConvolutions {
 public:
  BlockedConvolutions();
  /// Images and weights are rounded to bf16 for their products; these are summed in float32, and
  /// what goes in and comes out is float32. Before the first call.
  void use_bf16();
  ~BlockedConvolutions();
  BlockedConvolutions(const BlockedConvolutions&) = delete;
  BlockedConvolutions& operator=(const BlockedConvolutions&) = delete;

  /// Whether the convolution of `x`, in blocks or not, can be had: float32 on the CPU, one group,
  /// both counts of channels multiples of b, and a kernel for them.
  bool takes(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef stride,
             at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups);

  /// What `takes` accepted → blocks. `weight` [O,C,kh,kw] must live, unchanged, as long as this
  /// object: it is recognised by its address. `bias` [O] or undefined.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation);

 private:
  struct Kernels;
  std::unique_ptr<Kernels> kernels_;
};

}  // namespace srdiff
