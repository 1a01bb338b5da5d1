#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/cuda/kernels/noise_level_step.h"

namespace srdiff::cuda {

/// All that a denoiser computes of a noise level alone: on a GPU, thirty kernels on a few values
/// each take as long as a convolution.
struct NoiseLevelProgram {
  std::vector<NoiseLevelStep> steps;
  std::vector<int> results;     ///< values that are wanted
  int encoded = -1;             ///< the value of which sinusoids are taken; below 0: none
  at::Tensor frequencies = {};  ///< [K] float32, of the sinusoids
};

struct NoiseLevelResults {
  at::Tensor values;    ///< [results, N] float32
  at::Tensor encoding;  ///< [N, 2K] float32: sines, then cosines, of value · frequencies
};

/// Of each level [N] float32. On a CUDA device one kernel.
NoiseLevelResults run_noise_level_program(const at::Tensor& level,
                                          const NoiseLevelProgram& program);

}  // namespace srdiff::cuda
