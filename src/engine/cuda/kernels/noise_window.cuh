#pragma once

#include "base/philox.h"
#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {
namespace {  // in each source again, as tests emulate kernels of the same names

/// Runs on any grid; each thread makes pixels, one after another.
__global__ void __launch_bounds__(256) fill_noise(const NoiseWindow window, float* result) {
  const long long plane = static_cast<long long>(window.height) * window.width;
  const long long all = window.images * plane;
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += stride) {
    const int n = static_cast<int>(i / plane);
    const int pixel = static_cast<int>(i % plane);
    const PhiloxWords counter = {
        {window.x0 + pixel % window.width, window.y0 + pixel / window.width, window.step, 0}};
    const PixelNoise noise =
        pixel_noise(philox_words(counter, window.keys[2 * n], window.keys[2 * n + 1]));
    float* red = result + 3 * n * plane + pixel;
    red[0] = noise.red;
    red[plane] = noise.green;
    red[2 * plane] = noise.blue;
  }
}

}  // namespace
}  // namespace srdiff::cuda
