#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "srdiff/schedule.h"

namespace srdiff {

/// What the denoiser was trained to output for x_t = √ᾱ_t·x_0 + √(1−ᾱ_t)·ε.
enum class Parameterisation {
  eps,  ///< ε̂ (Ho et al., arXiv 2006.11239)
  x0,   ///< x̂_0
  v,    ///< √ᾱ_t·ε − √(1−ᾱ_t)·x_0 (Salimans & Ho, arXiv 2202.00512)
};

/// The rule for one reverse step.
enum class SamplerKind {
  ddpm,   ///< ancestral sampling, arXiv 2006.11239, equation 7, over every step
  ddim,   ///< arXiv 2010.02502, equation 12
  dpmpp,  ///< DPM-Solver++(2M), arXiv 2211.01095, algorithm 2
};

/// Each `parse_…` throws UsageError on an unknown word.
std::string to_string(Parameterisation parameterisation);
Parameterisation parse_parameterisation(const std::string& word);
std::string to_string(SamplerKind kind);
SamplerKind parse_sampler(const std::string& word);

/// Fresh ε [N,3,H,W] ~ N(0, I) for the arrival at step t.
using NoiseSource = std::function<at::Tensor(int t)>;

struct SamplerOptions {
  SamplerKind kind = SamplerKind::ddim;
  Parameterisation parameterisation = Parameterisation::eps;
  /// DDIM's η in [0,1]: 0 deterministic, 1 as noisy as DDPM. The others do not read it.
  double eta = 0.0;
  /// Clip x̂_0 to [−1,1] at each step and re-derive ε̂ from it, as SR3 does.
  bool clip_x0 = true;
  /// w, at least 0: each x̂_0 becomes x_sr + w·(x̂_0 − x_sr), before it is clipped. Above 1 that
  /// goes further away from the regressor's mean, as autoguidance goes away from a worse network
  /// (Karras et al., arXiv 2406.02507). With 1, x̂_0 stays as it is and x_sr is not read.
  double guidance = 1.0;
};

/// The arithmetic of the reverse steps over `grid` = τ_0 > τ_1 > … > τ_NFE = 0 (see step_grid),
/// which are none where the grid is {0}.
/// No pixel depends on another, so that any part of an image can be stepped alone. The object holds
/// copies of what it is made from, and no state of the images.
class ReverseSteps {
 public:
  /// Throws UsageError on a grid that does not fall to 0, a gap under DDPM, an eta outside [0,1],
  /// or a guidance that is negative or not finite.
  ReverseSteps(Schedule schedule, std::vector<int> grid, const SamplerOptions& options);

  const Schedule& schedule() const { return schedule_; }

  /// Denoiser evaluations; step i = 0 … nfe() − 1 goes from t(i) to t(i + 1).
  int nfe() const { return static_cast<int>(grid_.size()) - 1; }
  int t(int i) const { return grid_[static_cast<std::size_t>(i)]; }

  /// Whether `x0` reads x_sr: where there is guidance.
  bool reads_x_sr() const { return options_.guidance != 1.0; }

  /// x̂_0 from x at step t(i), the network's raw output there and, where reads_x_sr, x_sr, all
  /// [N,3,H,W] float32.
  at::Tensor x0(int i, const at::Tensor& x, const at::Tensor& output,
                const at::Tensor& x_sr = {}) const;

  /// Whether `next` reads the x̂_0 of the step before: DPM-Solver++ after its first step.
  bool reads_previous_x0(int i) const;

  /// x at step t(i + 1) from x at t(i) and x̂_0.
  ///
  /// DDPM takes the posterior of q(x_{t−1} | x_t, x̂_0); `noise` is called for t−1 … 1, never for
  /// the last step. DDIM calls `noise` only where its σ is above 0. DPM-Solver++ is second order
  /// from its second step on and first order at the last.
  at::Tensor next(int i, const at::Tensor& x, const at::Tensor& x0, const at::Tensor& previous_x0,
                  const NoiseSource& noise) const;

 private:
  at::Tensor ddpm(int i, const at::Tensor& x, const at::Tensor& x0, const NoiseSource& noise) const;
  at::Tensor ddim(int i, const at::Tensor& x, const at::Tensor& x0, const NoiseSource& noise) const;
  at::Tensor dpmpp(int i, const at::Tensor& x, const at::Tensor& x0,
                   const at::Tensor& previous_x0) const;

  Schedule schedule_;
  std::vector<int> grid_;
  SamplerOptions options_;
};

}  // namespace srdiff
