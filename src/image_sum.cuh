#pragma once

#include "cuda_kernels.h"
#include "vector_types.cuh"

namespace srdiff {

/// One vector of channels of an ImageSum, at any of an image's positions. Sums are rounded to T, as
/// if they had been stored.
template <typename T>
struct SumColumn {
  static constexpr int width = Pack<T>::width;

  const void* base;
  const void* addend;
  long long first;  ///< index of the column's vector at position 0
  int step;         ///< to the next position's
  bool adds;        ///< `extra` is not all 0
  float extra[width];

  __device__ SumColumn(const ImageSum& image, int n, int channel) {
    const bool in_b = channel >= image.channels_a;
    const int c = in_b ? channel - image.channels_a : channel;
    step = in_b ? image.channels_b : image.channels_a;
    base = in_b ? image.b : image.a;
    addend = in_b ? nullptr : image.addend;
    first = static_cast<long long>(n) * image.positions * step + c;
    adds = !in_b && (image.bias != nullptr || image.offset != nullptr);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      extra[i] = 0.0F;
    }
    if (adds && image.offset != nullptr) {
      Pack<T>::open(load<T>(image.offset, n * image.offset_step + c), extra);
    }
    if (adds && image.bias != nullptr) {
#pragma unroll
      for (int i = 0; i < width; ++i) {
        extra[i] += image.bias[c + i];
      }
    }
  }

  __device__ uint4 at(int position) const {
    const long long index = first + static_cast<long long>(position) * step;
    const uint4 bits = load<T>(base, index);
    if (!adds && addend == nullptr) {
      return bits;
    }
    float x[width];
    Pack<T>::open(bits, x);
    if (addend != nullptr) {
      float y[width];
      Pack<T>::open(load<T>(addend, index), y);
#pragma unroll
      for (int i = 0; i < width; ++i) {
        x[i] += y[i];
      }
    }
#pragma unroll
    for (int i = 0; i < width; ++i) {
      x[i] += extra[i];
    }
    return Pack<T>::close(x);
  }
};

/// Grid: any; each thread takes vectors of the sum, one after another.
template <typename T>
__global__ void __launch_bounds__(256)
    write_sum(const ImageSum image, int width, void* sum, void* activated) {
  constexpr int W = Pack<T>::width;
  const int channels = image.channels();
  const int vectors = channels / W;
  const long long all = static_cast<long long>(image.images) * image.positions * vectors;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += step) {
    const int channel = static_cast<int>(i % vectors) * W;
    const long long pixel = i / vectors;  // of all images
    const int n = static_cast<int>(pixel / image.positions);
    const int position = static_cast<int>(pixel % image.positions);
    const uint4 bits = SumColumn<T>(image, n, channel).at(position);
    if (width > 0) {
      // Row y of any image is row 2y of the results, since all have as many rows.
      const long long corner = 4 * (pixel / width) * width + 2 * (pixel % width);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        store<T>(sum, (corner + k / 2 * 2 * width + k % 2) * channels + channel, bits);
      }
      continue;
    }
    if (sum != nullptr) {
      store<T>(sum, pixel * channels + channel, bits);
    }
    if (activated != nullptr) {
      float x[W];
      Pack<T>::open(bits, x);
#pragma unroll
      for (int k = 0; k < W; ++k) {
        x[k] = silu<T>(x[k]);
      }
      store<T>(activated, pixel * channels + channel, Pack<T>::close(x));
    }
  }
}

}  // namespace srdiff
