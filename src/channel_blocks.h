#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "vector_width.h"

namespace srdiff {

/// Images in blocks of channels, [N,C/b,H,W,b] with b the floats of the processor's widest vectors
/// (oneDNN's nChw16c and nChw8c). oneDNN's convolutions are fastest from and to this layout, and
/// leave it unchanged, so that a network can stay in it from its first convolution to its last.
/// Channels of one image lie one after the other: joining images is copying. Values are float32, or
/// bfloat16 where nothing but products follows.

/// b: 16 with AVX-512, 8 with AVX2; 0 where srdiff was built without oneDNN or the processor has
/// neither.
std::int64_t channel_block();

/// How many pieces of `values` values each are worth a thread of their own: at::parallel_for's
/// grain.
constexpr std::int64_t pieces_for_a_thread(std::int64_t values) {
  return 1 + 16384 / values;
}

/// Whether x is in blocks. Plain images have four dimensions.
inline bool in_blocks(const at::Tensor& x) {
  return x.dim() == 5;
}

/// [N,C,H,W] of an image in blocks or not.
std::vector<std::int64_t> image_size(const at::Tensor& x);

/// [N,C,H,W] float32 on the CPU, C a multiple of b → blocks.
at::Tensor to_blocks(const at::Tensor& image);

/// Blocks → [N,C,H,W] float32, contiguous. What is not in blocks is returned as it is.
at::Tensor from_blocks(const at::Tensor& x);

/// Blocks of float32 in bfloat16, to the nearest (of two, the even one), without the detour that
/// at::Tensor::to takes on LibTorch 1.13.
at::Tensor round_to_bf16(const at::Tensor& blocks);

/// Blocks enlarged by repeating each pixel: `factor` times in each direction.
at::Tensor repeat_pixels(const at::Tensor& blocks, std::int64_t factor);

/// The bits of `x` as bfloat16, without a branch: loops over it become vector operations.
SRDIFF_INLINE std::uint16_t bf16_bits(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  const bool not_a_number = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<std::uint16_t>(not_a_number ? 0x7FC0U : rounded);
}

}  // namespace srdiff
