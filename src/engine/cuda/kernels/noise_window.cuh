#pragma once

#include "engine/cuda/kernels/kernels.h"
#include "base/philox.h"

namespace srdiff {
namespace {  // each source's own: tests emulate kernels of the same names

// As constants of their own: device code cannot call the functions of a std::array.
constexpr std::uint32_t first_multiplier = Philox::multipliers[0];
constexpr std::uint32_t second_multiplier = Philox::multipliers[1];
constexpr std::uint32_t first_increment = Philox::increments[0];
constexpr std::uint32_t second_increment = Philox::increments[1];

/// Philox4x32-10 of a counter, in place (see philox4x32_10 in srdiff/noise.h).
__device__ inline void philox_rounds(std::uint32_t* counter, std::uint32_t key0,
                                     std::uint32_t key1) {
#pragma unroll
  for (int round = 0; round < Philox::rounds; ++round) {
    const std::uint64_t a = std::uint64_t{first_multiplier} * counter[0];
    const std::uint64_t b = std::uint64_t{second_multiplier} * counter[2];
    counter[0] = static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0;
    counter[1] = static_cast<std::uint32_t>(b);
    counter[2] = static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1;
    counter[3] = static_cast<std::uint32_t>(a);
    key0 += first_increment;
    key1 += second_increment;
  }
}

/// In (0, 1), as in noise.cc.
__device__ inline double open_uniform_of(std::uint32_t word) {
  return (word + 0.5) * 0x1p-32;
}

__device__ inline double normal_radius(std::uint32_t word) {
  return sqrt(-2.0 * log(open_uniform_of(word)));
}

/// Grid: any; each thread takes pixels, one after another.
__global__ void __launch_bounds__(256) fill_noise(const NoiseWindow window, float* result) {
  const long long plane = static_cast<long long>(window.height) * window.width;
  const long long all = window.images * plane;
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += stride) {
    const int n = static_cast<int>(i / plane);
    const int pixel = static_cast<int>(i % plane);
    std::uint32_t words[4] = {window.x0 + pixel % window.width, window.y0 + pixel / window.width,
                              window.step, 0};
    philox_rounds(words, window.keys[2 * n], window.keys[2 * n + 1]);
    const double radius = normal_radius(words[0]);
    const double angle = 2.0 * pi * open_uniform_of(words[1]);
    float* red = result + 3 * n * plane + pixel;
    red[0] = static_cast<float>(radius * cos(angle));
    red[plane] = static_cast<float>(radius * sin(angle));
    red[2 * plane] =
        static_cast<float>(normal_radius(words[2]) * cos(2.0 * pi * open_uniform_of(words[3])));
  }
}

}  // namespace
}  // namespace srdiff
