#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

#include "srdiff/sampler.h"

namespace srdiff::support {

/// A network: x_t [N,3,H,W] float32 and the step t → its raw output, same shape.
using Denoiser = std::function<at::Tensor(const at::Tensor& x_t, int t)>;

/// What a step saw and did.
struct StepState {
  int evaluation;  ///< 1…NFE
  int nfe;         ///< the run's total
  int t;           ///< the step that was left
  int next_t;      ///< the step that was reached
  at::Tensor x0;   ///< x̂_0 [N,3,H,W], clipped when clipping is on
};

/// Called after each reverse step; it may throw to stop the run.
using StepObserver = std::function<void(const StepState&)>;

/// Runs all steps of `grid` from `x` = x_{τ_0}, [N,3,H,W] float32, and returns x_0, as the pipeline
/// does with pictures. Throws as ReverseSteps does.
inline at::Tensor sample(const Schedule& schedule, const std::vector<int>& grid, at::Tensor x,
                         const Denoiser& denoiser, const NoiseSource& noise,
                         const SamplerOptions& options, const StepObserver& observer = {},
                         const at::Tensor& x_sr = {}) {
  const ReverseSteps steps(schedule, grid, options);
  at::Tensor previous_x0;
  for (int i = 0; i < steps.nfe(); ++i) {
    const at::Tensor x0 = steps.x0(i, x, denoiser(x, steps.t(i)), x_sr);
    x = steps.next(i, x, x0, previous_x0, noise);
    previous_x0 = x0;
    if (observer) {
      observer({i + 1, steps.nfe(), steps.t(i), steps.t(i + 1), x0});
    }
  }
  return x;
}

}  // namespace srdiff::support
