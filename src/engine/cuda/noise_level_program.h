#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/cuda/kernels/noise_level_step.h"

namespace srdiff::cuda {

/// The computation of all values of a denoiser that depend on the noise level alone. As single
/// operators on a GPU they are thirty kernels on a few values, each of which takes as long as a
/// convolution.
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

/// Runs the program on each level of [N] float32; on a CUDA device in one kernel.
NoiseLevelResults run_noise_level_program(const at::Tensor& level,
                                          const NoiseLevelProgram& program);

}  // namespace srdiff::cuda
