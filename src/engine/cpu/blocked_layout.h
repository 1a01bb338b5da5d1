#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/cpu/simd/vector_width.h"

namespace srdiff::cpu {

/// Images in blocks of channels, [N,C/b,H,W,b] with b the floats of the processor's widest vectors
/// (oneDNN's nChw16c and nChw8c). oneDNN's convolutions are fastest from and to this layout, and
/// leave it unchanged, so that a network can stay in it from its first convolution to its last.
/// The blocks of one image lie one after the other, so that joining images along their channels
/// only copies memory. Values are float32, or bfloat16 where convolutions alone read them.
///
/// One block may also hold all channels, [N,1,H,W,C]: that is channels_last, which oneDNN's kernels
/// for AMX read.

/// The block's channels b: 16 with AVX-512, 8 with AVX2 and on 64-bit ARM, 0 on other processors.
/// The environment can limit it: ONEDNN_MAX_CPU_ISA=AVX2 to 8; where srdiff was built without
/// oneDNN, ATEN_CPU_CAPABILITY, avx2 to 8 and default to 0.
std::int64_t channel_block();

/// The grain of at::parallel_for over pieces of `values` values each: fewer pieces than this are
/// not worth a thread of their own.
constexpr std::int64_t pieces_for_a_thread(std::int64_t values) {
  return 1 + 16384 / values;
}

/// Whether x is in blocks. Plain images have four dimensions.
inline bool in_blocks(const at::Tensor& x) {
  return x.dim() == 5;
}

/// The size [N,C,H,W] of an image, whether it is in blocks or plain.
std::vector<std::int64_t> image_size(const at::Tensor& x);

/// Where an image in blocks has its columns: b channels of every pixel.
struct Columns {
  std::int64_t lanes;   ///< b
  std::int64_t step;    ///< from one pixel to the next, in values: the channels of a block
  std::int64_t pixels;  ///< H·W
  std::int64_t count;   ///< columns of an image

  explicit Columns(const at::Tensor& blocks);

  /// The first value of a column, counted from the image's first.
  std::int64_t start(std::int64_t column) const {
    const std::int64_t channel = column * lanes;
    return channel / step * step * pixels + channel % step;
  }
};

/// [N,C,H,W] float32 on the CPU → blocks of `block` channels, or of b: a multiple of b, and C of
/// it.
at::Tensor to_blocks(const at::Tensor& image, std::int64_t block = channel_block());

/// Blocks → [N,C,H,W] float32, contiguous. What is not in blocks is returned as it is.
at::Tensor from_blocks(const at::Tensor& x);

/// Blocks of float32 in bfloat16, to the nearest (of two, the even one), without the detour that
/// at::Tensor::to takes on LibTorch 1.13.
at::Tensor round_to_bf16(const at::Tensor& blocks);

/// Joins images in blocks along their channels; their other sizes are equal. Undefined where blocks
/// of different lengths cannot be joined.
at::Tensor join_channels(at::TensorList images);

/// Channels first .. first + count - 1 of an image, in blocks where it is in blocks that begin and
/// end there, else plain. Throws c10::Error where the image has not so many.
at::Tensor take_channels(const at::Tensor& x, std::int64_t first, std::int64_t count);

/// Blocks upsampled by repeating each pixel: `factor` times in each direction.
at::Tensor repeat_pixels(const at::Tensor& blocks, std::int64_t factor);

/// [N,4·C,H+1,W+1] in blocks, four images one after the other along the channels, → [N,C,2H,2W]:
/// pixel (2i+a, 2j+b) is pixel (i+a, j+b) of image 2a+b.
at::Tensor interleave_phases(const at::Tensor& blocks);

/// The bits of `x` as bfloat16, without a branch: loops over it become vector operations.
SRDIFF_INLINE std::uint16_t bf16_bits(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  const bool not_a_number = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<std::uint16_t>(not_a_number ? 0x7FC0U : rounded);
}

}  // namespace srdiff::cpu
