#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {
namespace {

__device__ float level_step(const NoiseLevelStep& step, float x, float y) {
  switch (step.what) {
    case NoiseLevelOperator::add:
      return x + y;
    case NoiseLevelOperator::sub:
      return x - y;
    case NoiseLevelOperator::mul:
      return x * y;
    case NoiseLevelOperator::div:
      return x / y;
    case NoiseLevelOperator::at_least:  // keeps what is no number, as LibTorch's clamp
      return x < y ? y : x;
    case NoiseLevelOperator::at_most:
      return x > y ? y : x;
    case NoiseLevelOperator::neg:
      return -x;
    case NoiseLevelOperator::reciprocal:
      return 1.0F / x;
    case NoiseLevelOperator::rsqrt:
      return rsqrtf(x);
    case NoiseLevelOperator::sqrt:
      return sqrtf(x);
    case NoiseLevelOperator::log:
      return logf(x);
    case NoiseLevelOperator::exp:
      return expf(x);
  }
  return x;
}

/// Threads in x: a frequency each, and one that writes the values; blocks in y: a level each. Every
/// thread runs the program, which costs less than waiting for one that did.
__global__ void __launch_bounds__(128)
    levels_and_sinusoids(const NoiseLevelCode code, const float* level, float* values, float* encoding) {
  const int item = blockIdx.x * blockDim.x + threadIdx.x;
  const int n = blockIdx.y;
  if (item > code.frequency_count) {
    return;
  }
  float value[most_noise_level_steps + 1];
  value[0] = level[n];
  for (int i = 0; i < code.step_count; ++i) {
    const NoiseLevelStep& step = code.steps[i];
    value[i + 1] =
        level_step(step, value[step.first], step.second < 0 ? step.constant : value[step.second]);
  }
  if (item == code.frequency_count) {
    for (int i = 0; i < code.result_count; ++i) {
      values[i * gridDim.y + n] = value[code.results[i]];
    }
    return;
  }
  const float angle = value[code.encoded] * code.frequencies[item];
  float* row = encoding + 2LL * n * code.frequency_count;
  row[item] = sinf(angle);
  row[code.frequency_count + item] = cosf(angle);
}

}  // namespace

cudaError_t run_noise_levels(const NoiseLevelCode& code, const float* level, int levels, float* values,
                       float* encoding, cudaStream_t stream) {
  constexpr int threads = 128;
  const dim3 grid(static_cast<unsigned int>(code.frequency_count / threads + 1),
                  static_cast<unsigned int>(levels));
  levels_and_sinusoids<<<grid, threads, 0, stream>>>(code, level, values, encoding);
  return cudaGetLastError();
}

}  // namespace srdiff::cuda
