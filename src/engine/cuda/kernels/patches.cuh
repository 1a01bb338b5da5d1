#pragma once

#include "engine/cuda/kernels/kernels.h"
#include "engine/cuda/kernels/vector_types.cuh"

namespace srdiff::cuda {
namespace {  // in each source again, as tests emulate kernels of the same names

/// Where a channel of a patch lies in its image.
struct PatchPlace {
  int colour;
  int row;
  int column;

  __device__ PatchPlace(int channel, int grid)
      : colour(channel / (grid * grid)), row(channel / grid % grid), column(channel % grid) {}
};

__device__ inline float input_value(const PatchInput& input, int n, int channel, int y, int x) {
  const PatchPlace place(channel, input.grid);
  const bool second = place.colour >= input.colours;
  const int colour = second ? place.colour - input.colours : place.colour;
  if (colour >= input.colours || (second && input.x_t == nullptr)) {
    return 0.0F;
  }
  const long long row = (static_cast<long long>(n) * input.colours + colour) * input.height + y;
  const long long at =
      ((row * input.grid + place.row) * input.width + x) * input.grid + place.column;
  if (!second) {
    return input.condition[at];
  }
  const float value = input.x_t[at];
  return input.a == nullptr ? value : (value / input.a[n] - input.condition[at]) * input.c_in[n];
}

/// Runs on any grid; each thread makes vectors of the result, one after another.
template <typename T>
__global__ void __launch_bounds__(256)
    gather_patches(const PatchInput input, int channels, void* result) {
  constexpr int W = Pack<T>::width;
  const int vectors = channels / W;
  const long long all = static_cast<long long>(input.images) * input.height * input.width * vectors;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += step) {
    const int channel = static_cast<int>(i % vectors) * W;
    const long long position = i / vectors;  // of all images
    const int x = static_cast<int>(position % input.width);
    const int y = static_cast<int>(position / input.width % input.height);
    const int n = static_cast<int>(position / input.width / input.height);
    float values[W];
#pragma unroll
    for (int k = 0; k < W; ++k) {
      values[k] = input_value(input, n, channel + k, y, x);
    }
    store<T>(result, i * W, Pack<T>::close(values));
  }
}

/// Runs on any grid; each thread makes values of the result, one after another.
template <typename T>
__global__ void __launch_bounds__(256) scatter_patches(const PatchOutput output, float* result) {
  const int grid = output.grid;
  const int width = output.width * grid;
  const int height = output.height * grid;
  const long long all = static_cast<long long>(output.images) * output.colours * height * width;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += step) {
    const int x = static_cast<int>(i % width);
    const int y = static_cast<int>(i / width % height);
    const int colour = static_cast<int>(i / width / height % output.colours);
    const int n = static_cast<int>(i / width / height / output.colours);
    const int channel = (colour * grid + y % grid) * grid + x % grid;
    const long long position =
        (static_cast<long long>(n) * output.height + y / grid) * output.width + x / grid;
    const float found =
        value_at<T>(output.patches, position * output.channels + channel) + output.bias[channel];
    if (output.base == nullptr) {
      result[i] = found;
      continue;
    }
    const float base = output.base[i];
    const float residual = output.x_t[i] / output.a[n] - base;
    result[i] = base + output.c_skip[n] * residual + output.c_out[n] * found;
  }
}

}  // namespace
}  // namespace srdiff::cuda
