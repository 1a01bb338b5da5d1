#pragma once

#include "engine/cuda/kernels/cluster.cuh"
#include "engine/cuda/kernels/image_sum.cuh"

namespace srdiff::cuda {
namespace {  // in each source again, as tests emulate kernels of the same names

// How the statistics are found. Each channel has a sum and a sum of squares. Both are of the
// differences from the channel's value at the image's first position, so that no digits are lost
// where values are far from 0. They are added in an order that depends on shapes alone, so that the
// same image gives the same bits.

/// The shared memory of a block, in float2: `scratch` has W·(threads + vectors) + max(threads,
/// channels of the chunk) elements, `totals` and `moments` have one for each channel of the chunk.
struct NormMemory {
  float2* scratch;
  float2* totals;
  float2* moments;

  template <int W>
  __device__ static NormMemory at(float2* shared, int chunk) {
    const int threads = blockDim.x;
    const int scratch = W * (threads + chunk / W) + max(threads, chunk);
    return {shared, shared + scratch, shared + scratch + chunk};
  }
};

/// What one thread works on: a vector of channels at every `step`-th position from `first`.
template <typename T>
struct NormPlace {
  int vectors;  ///< of a chunk, at one position
  int vector;   ///< index of this thread's among them
  int channel;  ///< the first one of that vector
  int first;
  int step;

  __device__ explicit NormPlace(const NormShape& shape)
      : vectors(shape.chunk / Pack<T>::width),
        vector(threadIdx.x % vectors),
        channel(blockIdx.y * shape.chunk + vector * Pack<T>::width),
        first(blockIdx.x * shape.rows + threadIdx.x / vectors),
        step(gridDim.x * shape.rows) {}
};

/// The sums over one thread's positions, of each channel of its vector.
template <int W>
struct ChannelSums {
  float origin[W];
  float sum[W];
  float squares[W];

  __device__ void begin() {
#pragma unroll
    for (int i = 0; i < W; ++i) {
      sum[i] = 0.0F;
      squares[i] = 0.0F;
    }
  }

  __device__ void take(const float* x) {
#pragma unroll
    for (int i = 0; i < W; ++i) {
      const float d = x[i] - origin[i];
      sum[i] += d;
      squares[i] += d * d;
    }
  }
};

/// Adds up the sums of a block's threads: memory.totals gets those of each channel of its chunk.
template <int W>
__device__ void add_up(const ChannelSums<W>& mine, int vectors, const NormMemory& memory) {
  const int threads = blockDim.x;
  const int pitch =
      threads + vectors;  // so that no two threads of a warp read one bank of memory below
  float2* partial = memory.scratch + W * pitch;
#pragma unroll
  for (int i = 0; i < W; ++i) {
    memory.scratch[i * pitch + threadIdx.x] = make_float2(mine.sum[i], mine.squares[i]);
  }
  __syncthreads();
  const int columns =
      vectors * W;  // ordered by a channel's place in its vector, then by the vector
  const int parts = max(1, threads / columns);
  for (int item = threadIdx.x; item < columns * parts; item += threads) {
    const int column = item % columns;
    const float2* values = memory.scratch + column / vectors * pitch + column % vectors;
    float2 total = make_float2(0.0F, 0.0F);
    for (int row = item / columns; row < threads / vectors; row += parts) {
      total.x += values[row * vectors].x;
      total.y += values[row * vectors].y;
    }
    partial[item] = total;
  }
  __syncthreads();
  for (int column = threadIdx.x; column < columns; column += threads) {
    float2 total = make_float2(0.0F, 0.0F);
    for (int part = 0; part < parts; ++part) {
      total.x += partial[part * columns + column].x;
      total.y += partial[part * columns + column].y;
    }
    memory.totals[column % vectors * W + column / vectors] = total;
  }
}

/// A channel's mean, and its sum of squared differences from that mean, from its sums over all
/// positions.
__device__ inline float2 channel_moments(float2 total, float origin, int positions) {
  const float mean = total.x / positions;
  return make_float2(origin + mean, fmaxf(total.y - total.x * mean, 0.0F));
}

/// A group's mean and 1 / √(variance + eps).
__device__ inline float2 group_moments(const float2* channels, int count, int positions,
                                       float eps) {
  float mean = 0.0F;
  for (int i = 0; i < count; ++i) {
    mean += channels[i].x;
  }
  mean /= count;
  float squares = 0.0F;
  for (int i = 0; i < count; ++i) {
    const float d = channels[i].x - mean;
    squares += channels[i].y + positions * d * d;
  }
  return make_float2(mean, rsqrtf(squares / (static_cast<float>(count) * positions) + eps));
}

/// Makes the moments of a chunk's groups, in memory.scratch, from those of its channels, in
/// memory.moments.
__device__ inline void find_groups(const NormMemory& memory, int chunk, int group, int positions,
                                   float eps) {
  __syncthreads();
  for (int i = threadIdx.x; i < chunk / group; i += blockDim.x) {
    memory.scratch[i] = group_moments(memory.moments + i * group, group, positions, eps);
  }
  __syncthreads();
}

/// What is done to each value of a thread's channels: x·scale + shift, and SiLU.
template <typename T>
struct NormChange {
  static constexpr int width = Pack<T>::width;
  float scale[width];
  float shift[width];
  bool with_silu;

  __device__ NormChange(const ImageNorm& norm, const NormPlace<T>& place, const NormMemory& memory,
                        int group)
      : with_silu(norm.silu) {
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const float2 moments = memory.scratch[(place.vector * width + i) / group];
      scale[i] = norm.weight[place.channel + i] * moments.y;
      shift[i] = norm.bias[place.channel + i] - moments.x * scale[i];
    }
  }

  __device__ uint4 operator()(uint4 bits) const {
    float x[width];
    Pack<T>::open(bits, x);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      x[i] = x[i] * scale[i] + shift[i];
    }
    if (with_silu) {
#pragma unroll
      for (int i = 0; i < width; ++i) {
        x[i] = silu<T>(x[i]);
      }
    }
    return Pack<T>::close(x);
  }
};

/// Puts each channel's value at position 0 into memory.moments, where the thread that will find the
/// channel's moments reads it.
template <int W>
__device__ void share_origins(const ChannelSums<W>& mine, int vectors, const NormMemory& memory) {
  if (static_cast<int>(threadIdx.x) < vectors) {
#pragma unroll
    for (int i = 0; i < W; ++i) {
      memory.moments[threadIdx.x * W + i] = make_float2(mine.origin[i], 0.0F);
    }
  }
}

/// One pass: the blocks of a cluster hold a chunk of an image's channels in registers. Grid: blocks
/// of a cluster, chunks, images.
template <typename T, int Held>
__global__ void __launch_bounds__(256)
    norm_in_registers(const ImageSum image, const ImageNorm norm, const NormShape shape) {
  SRDIFF_SHARED(float2, shared);
  constexpr int W = Pack<T>::width;
  const NormMemory memory = NormMemory::at<W>(shared, shape.chunk);
  const NormPlace<T> place(shape);
  const SumColumn<T> column(image, blockIdx.z, place.channel);
  uint4 held[Held];
  column.template at_each<Held>(place.first, place.step, image.positions, held);

  ChannelSums<W> sums;
  sums.begin();
  Pack<T>::open(column.at(0), sums.origin);
  const int channels = image.channels();
  const long long out =
      static_cast<long long>(blockIdx.z) * image.positions * channels + place.channel;
#pragma unroll
  for (int k = 0; k < Held; ++k) {
    const int position = place.first + k * place.step;
    if (position < image.positions) {
      float x[W];
      Pack<T>::open(held[k], x);
      sums.take(x);
      if (norm.sum != nullptr) {
        store<T>(norm.sum, out + static_cast<long long>(position) * channels, held[k]);
      }
    }
  }
  add_up<W>(sums, place.vectors, memory);
  share_origins<W>(sums, place.vectors, memory);
  cluster_meets();
  for (int i = threadIdx.x; i < shape.chunk; i += blockDim.x) {
    float2 total = make_float2(0.0F, 0.0F);
    for (int block = 0; block < static_cast<int>(gridDim.x); ++block) {
      const float2 part = of_cluster(memory.totals + i, block);
      total.x += part.x;
      total.y += part.y;
    }
    memory.moments[i] = channel_moments(total, memory.moments[i].x, image.positions);
  }
  cluster_arrives();
  const int group = channels / norm.groups;
  find_groups(memory, shape.chunk, group, image.positions, norm.eps);
  const NormChange<T> change(norm, place, memory, group);
#pragma unroll
  for (int k = 0; k < Held; ++k) {
    const int position = place.first + k * place.step;
    if (position < image.positions) {
      store<T>(norm.result, out + static_cast<long long>(position) * channels, change(held[k]));
    }
  }
  cluster_leaves();  // no block may end while another reads its totals
}

/// The first of two passes, for images that registers cannot hold: each block's sums of its
/// positions, [images, blocks, channels, 2] in `sums`. Grid: blocks, chunks, images.
template <typename T>
__global__ void __launch_bounds__(256)
    sums_for_norm(const ImageSum image, void* copy, const NormShape shape, float2* sums) {
  SRDIFF_SHARED(float2, shared);
  constexpr int W = Pack<T>::width;
  const NormMemory memory = NormMemory::at<W>(shared, shape.chunk);
  const NormPlace<T> place(shape);
  const SumColumn<T> column(image, blockIdx.z, place.channel);
  ChannelSums<W> mine;
  mine.begin();
  Pack<T>::open(column.at(0), mine.origin);
  const int channels = image.channels();
  const long long out =
      static_cast<long long>(blockIdx.z) * image.positions * channels + place.channel;
#pragma unroll 4
  for (int position = place.first; position < image.positions; position += place.step) {
    const uint4 bits = column.at(position);
    float x[W];
    Pack<T>::open(bits, x);
    mine.take(x);
    if (copy != nullptr) {
      store<T>(copy, out + static_cast<long long>(position) * channels, bits);
    }
  }
  add_up<W>(mine, place.vectors, memory);
  __syncthreads();
  float2* to = sums + (static_cast<long long>(blockIdx.z) * gridDim.x + blockIdx.x) * channels +
               blockIdx.y * shape.chunk;
  for (int i = threadIdx.x; i < shape.chunk; i += blockDim.x) {
    to[i] = memory.totals[i];
  }
}

/// The second: `image` once more, or the copy of it, with the sums of the first. Same grid.
template <typename T>
__global__ void __launch_bounds__(256) norm_by_sums(const ImageSum image, const ImageNorm norm,
                                                    const NormShape shape, const float2* sums) {
  SRDIFF_SHARED(float2, shared);
  constexpr int W = Pack<T>::width;
  const NormMemory memory = NormMemory::at<W>(shared, shape.chunk);
  const NormPlace<T> place(shape);
  const SumColumn<T> column(image, blockIdx.z, place.channel);
  ChannelSums<W> mine;
  Pack<T>::open(column.at(0), mine.origin);
  share_origins<W>(mine, place.vectors, memory);
  __syncthreads();
  const int channels = image.channels();
  const float2* from =
      sums + static_cast<long long>(blockIdx.z) * gridDim.x * channels + blockIdx.y * shape.chunk;
  for (int i = threadIdx.x; i < shape.chunk; i += blockDim.x) {
    float2 total = make_float2(0.0F, 0.0F);
    for (int block = 0; block < static_cast<int>(gridDim.x); ++block) {
      total.x += from[block * channels + i].x;
      total.y += from[block * channels + i].y;
    }
    memory.moments[i] = channel_moments(total, memory.moments[i].x, image.positions);
  }
  const int group = channels / norm.groups;
  find_groups(memory, shape.chunk, group, image.positions, norm.eps);
  const NormChange<T> change(norm, place, memory, group);
  const long long out =
      static_cast<long long>(blockIdx.z) * image.positions * channels + place.channel;
#pragma unroll 4
  for (int position = place.first; position < image.positions; position += place.step) {
    store<T>(norm.result, out + static_cast<long long>(position) * channels,
             change(column.at(position)));
  }
}

}  // namespace
}  // namespace srdiff::cuda
