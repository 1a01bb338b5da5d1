#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace srdiff {

// Kernels on images in channels_last order: value (n, p, c) of an image with L positions and C
// channels lies at (n·L + p)·C + c. All pointers are the device's. Nothing waits for the device or
// allocates, so that a CUDA graph can record every launch.

/// The type of images; arithmetic is float32.
enum class Element { float32, float16, bfloat16 };

/// Channels that a kernel reads at once, 16 bytes: those of an image must be a multiple of it, and
/// images start at a multiple of 16 bytes.
constexpr int vector_width(Element element) {
  return element == Element::float32 ? 4 : 8;
}

/// An image that is read, but never stored, as the sum of others: the channels of a + addend +
/// bias + offset, and behind them those of b.
struct ImageSum {
  const void* a = nullptr;       ///< [images, positions, channels_a]
  const void* addend = nullptr;  ///< of a's shape, or null
  const float* bias = nullptr;   ///< [channels_a], or null
  const void* offset = nullptr;  ///< [images, channels_a] of the images' type, or null
  std::int64_t offset_step = 0;  ///< between the rows of `offset`
  const void* b = nullptr;       ///< [images, positions, channels_b], or null
  int images = 0;
  int positions = 0;
  int channels_a = 0;
  int channels_b = 0;

#ifdef __CUDACC__
  __host__ __device__
#endif
      int
      channels() const {
    return channels_a + channels_b;
  }
};

/// Group norm of an image over all its positions, with or without SiLU behind it.
struct GroupNorm {
  int groups = 1;
  const float* weight = nullptr;  ///< [channels]
  const float* bias = nullptr;    ///< [channels]
  float eps = 0.0F;
  bool silu = false;
  void* result = nullptr;  ///< of the image's shape
  void* sum = nullptr;     ///< takes the image itself, where it is wanted
};

/// How the threads of group_norm's kernels share an image. A block takes `chunk` channels, whole
/// groups and whole vectors, of every `blocks`-th row of `rows` positions.
struct NormShape {
  int chunk = 0;
  int rows = 0;
  int blocks = 0;  ///< that share an image's chunk
  int held = 0;    ///< positions that a thread keeps in registers; 0: all are read twice
};

/// The shape for images of that size. `chunk` is 0 where the kernels cannot take it. `clusters`:
/// blocks can exchange their sums within a kernel.
NormShape norm_shape(int positions, int channels, int groups, int width, bool clusters);

/// float32 values that group_norm needs beside the images; 0 for most sizes.
std::int64_t norm_workspace(const ImageSum& image, const NormShape& shape);

cudaError_t group_norm(const ImageSum& image, const GroupNorm& norm, const NormShape& shape,
                       Element element, float* workspace, cudaStream_t stream);

/// Writes the sum to `sum` and silu of it to `silu`; either may be null. With a `width` above 0
/// each pixel of the sum, `width` in a row, is written as 2x2, and `silu` must be null.
cudaError_t add_images(const ImageSum& image, int width, void* sum, void* silu, Element element,
                       cudaStream_t stream);

}  // namespace srdiff
