#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace srdiff::cuda {

// Kernels on images in channels_last order: value (n, p, c) of an image with L positions and C
// channels lies at (n·L + p)·C + c. All pointers are the device's. Nothing waits for the device or
// allocates, so that a CUDA graph can record every launch.

/// A weighted sum of float32 tensors, value by value.
struct WeightedSum {
  static constexpr int most = 4;
  const float* terms[most] = {};
  float weights[most] = {};
  int count = 0;
  bool clip = false;  ///< to [−1,1]; what is no number stays so
};

cudaError_t write_weighted_sum(const WeightedSum& sum, long long values, float* result,
                               cudaStream_t stream);

/// Noise as of srdiff/noise.h: for each image its key's two words, and the counters of the pixels
/// of a window at (x0, y0) at one step.
struct NoiseWindow {
  const std::uint32_t* keys = nullptr;  ///< [images, 2], the low word first
  std::uint32_t step = 0;
  std::uint32_t x0 = 0;
  std::uint32_t y0 = 0;
  int images = 0;
  int height = 0;
  int width = 0;
};

/// Writes [images, 3, height, width] float32.
cudaError_t write_noise(const NoiseWindow& window, float* result, cudaStream_t stream);

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
struct ImageNorm {
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

/// Shared memory of group_norm's blocks, of images with vectors of `width` channels.
std::size_t norm_shared_bytes(const NormShape& shape, int width);

/// Whether the kernels, as they are compiled for the current device, can form clusters: those that
/// a new device translates from code for an older one cannot.
bool norm_forms_clusters();

cudaError_t group_norm(const ImageSum& image, const ImageNorm& norm, const NormShape& shape,
                       Element element, float* workspace, cudaStream_t stream);

/// Writes the sum to `sum` and silu of it to `silu`; either may be null. With a `width` above 0
/// each pixel of the sum, `width` in a row, is written as 2x2, and `silu` must be null.
cudaError_t add_images(const ImageSum& image, int width, void* sum, void* silu, Element element,
                       cudaStream_t stream);

/// The denoiser's two images as it reads them, after Karras et al. (arXiv 2206.00364, table 1):
/// condition and c_in·(x_t / a − condition), or x_t itself where there is no `a`.
struct PatchInput {
  const float* condition = nullptr;  ///< [images, colours, height·grid, width·grid]
  const float* x_t = nullptr;        ///< as `condition`, or null
  const float* a = nullptr;          ///< [images], or null
  const float* c_in = nullptr;       ///< [images], where `a` is
  int images = 0;
  int colours = 0;
  int height = 0;  ///< of the result
  int width = 0;
  int grid = 1;
};

/// Writes patches of grid x grid pixels as the `channels` of one position each, in the order of
/// pixel_unshuffle: [images, height·width, channels]. Channels that no pixel fills are 0; their
/// number is a multiple of vector_width.
cudaError_t write_patches(const PatchInput& input, int channels, void* result, Element element,
                          cudaStream_t stream);

/// base + c_skip·(x_t / a − base) + c_out·F, or F alone where there is no `base`, with F the
/// network's result.
struct PatchOutput {
  const void* patches = nullptr;  ///< [images, height·width, channels]; the first grid²·colours
  const float* bias = nullptr;    ///< [grid²·colours], added to them
  const float* base = nullptr;    ///< of the result's shape, or null
  const float* x_t = nullptr;     ///< as `base`
  const float* a = nullptr;       ///< [images], as the next two
  const float* c_skip = nullptr;
  const float* c_out = nullptr;
  int channels = 0;
  int images = 0;
  int colours = 0;
  int height = 0;  ///< of the patches
  int width = 0;
  int grid = 1;
};

/// Writes [images, colours, height·grid, width·grid].
cudaError_t write_image(const PatchOutput& output, float* result, Element element,
                        cudaStream_t stream);

}  // namespace srdiff::cuda
