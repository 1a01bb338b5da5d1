#include "engine/cuda/kernels/launch.cuh"
#include "engine/cuda/kernels/noise_window.cuh"

namespace srdiff::cuda {
namespace {

/// Runs on any grid; each thread makes values of the result, one after another.
__global__ void __launch_bounds__(256)
    add_weighted(const WeightedSum sum, long long values, float* result) {
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < values;
       i += step) {
    float value = 0.0F;
#pragma unroll
    for (int k = 0; k < WeightedSum::most; ++k) {
      if (k < sum.count) {
        value += sum.weights[k] * sum.terms[k][i];
      }
    }
    if (sum.clip) {
      value = value < -1.0F ? -1.0F : value > 1.0F ? 1.0F : value;
    }
    result[i] = value;
  }
}

}  // namespace

cudaError_t write_weighted_sum(const WeightedSum& sum, long long values, float* result,
                               cudaStream_t stream) {
  add_weighted<<<blocks_for(values), threads_of_items, 0, stream>>>(sum, values, result);
  return cudaGetLastError();
}

cudaError_t write_noise(const NoiseWindow& window, float* result, cudaStream_t stream) {
  const long long pixels = static_cast<long long>(window.images) * window.height * window.width;
  fill_noise<<<blocks_for(pixels), threads_of_items, 0, stream>>>(window, result);
  return cudaGetLastError();
}

}  // namespace srdiff::cuda
