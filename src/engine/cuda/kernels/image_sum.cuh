#pragma once

#include "engine/cuda/kernels/kernels.h"
#include "engine/cuda/kernels/vector_types.cuh"

namespace srdiff::cuda {
namespace {  // in each source again, as tests emulate kernels of the same names

/// Reads one vector of channels of an ImageSum at any position of an image. Sums are rounded to T,
/// as if they had been stored.
template <typename T>
struct SumColumn {
  static constexpr int width = Pack<T>::width;

  const void* base;
  const void* addend;
  long long first;     ///< index of the column's vector at position 0
  int step;            ///< values from there to the next position's vector
  bool adds;           ///< whether `extra` has values other than 0
  float extra[width];  ///< bias and offset, which are the same at all positions

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

  __device__ long long index(int position) const {
    return first + static_cast<long long>(position) * step;
  }

  /// The sum of a vector of the base, one of the addend, and `extra`.
  __device__ uint4 sum(uint4 bits, uint4 more) const {
    float x[width];
    float y[width];
    Pack<T>::open(bits, x);
    Pack<T>::open(more, y);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      x[i] = x[i] + y[i] + extra[i];
    }
    return Pack<T>::close(x);
  }

  __device__ uint4 sum(uint4 bits) const {
    float x[width];
    Pack<T>::open(bits, x);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      x[i] += extra[i];
    }
    return Pack<T>::close(x);
  }

  __device__ uint4 at(int position) const {
    const uint4 bits = load<T>(base, index(position));
    if (addend != nullptr) {
      return sum(bits, load<T>(addend, index(position)));
    }
    return adds ? sum(bits) : bits;
  }

  /// Reads the vectors at `Count` positions, `apart` from each other, into `held`. Those from `end`
  /// on have no meaning. All loads are issued before the first result is used.
  template <int Count>
  __device__ void at_each(int position, int apart, int end, uint4* held) const {
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      const int here = position + k * apart;
      held[k] = here < end ? load<T>(base, index(here)) : uint4();
    }
    if (addend != nullptr) {
      add_each<Count>(position, apart, end, held);
    } else if (adds) {
#pragma unroll
      for (int k = 0; k < Count; ++k) {
        held[k] = sum(held[k]);
      }
    }
  }

  template <int Count>
  __device__ void add_each(int position, int apart, int end, uint4* held) const {
    constexpr int batch = Count < 4 ? Count : 4;  // registers hold no more beside `held`
#pragma unroll
    for (int k = 0; k < Count; k += batch) {
      uint4 more[batch];
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const int here = position + (k + i) * apart;
        more[i] = here < end ? load<T>(addend, index(here)) : uint4();
      }
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        held[k + i] = sum(held[k + i], more[i]);
      }
    }
  }
};

/// Runs on any grid; each thread makes vectors of the sum, one after another.
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
      // All images have as many rows, so that row y, counted over all of them, becomes row 2y.
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

}  // namespace
}  // namespace srdiff::cuda
