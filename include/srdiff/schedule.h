#pragma once

#include <vector>

namespace srdiff {

/// The noise schedule of a diffusion model (Ho et al., arXiv 2006.11239; SR3, arXiv 2104.07636).
///
/// A step t in 1…T holds x_t = √ᾱ_t·x_0 + √(1−ᾱ_t)·ε; t = 0 is the clean image, ᾱ_0 = 1. `t`
/// counts the steps that remain: t = 300 means 300 DDPM steps. All values are float64. Every
/// accessor throws std::out_of_range for a t outside its stated range.
class Schedule {
 public:
  /// β_1 … β_T linear from `beta_start` to `beta_end`, both included.
  /// Throws UsageError unless T ≥ 1 and 0 < beta_start ≤ beta_end < 1.
  static Schedule linear(int T, double beta_start, double beta_end);

  /// T, the number of steps.
  int steps() const { return static_cast<int>(alpha_bar_.size()) - 1; }
  /// β_t, t in 1…T.
  double beta(int t) const;
  /// ᾱ_t = ∏_{i≤t} (1 − β_i), t in 0…T.
  double alpha_bar(int t) const { return alpha_bar_.at(index(t)); }
  /// √ᾱ_t, t in 0…T: the signal's amplitude, and what the denoiser is told (SR3's noise level).
  double noise_level(int t) const;
  /// √(1−ᾱ_t), t in 0…T: the noise's amplitude.
  double sigma(int t) const;
  /// λ_t = log(√ᾱ_t / √(1−ᾱ_t)), half the log signal-to-noise ratio, t in 1…T.
  double half_log_snr(int t) const;
  /// β̃_t = β_t·(1−ᾱ_{t−1})/(1−ᾱ_t), the variance of q(x_{t−1} | x_t, x_0), t in 1…T
  /// (arXiv 2006.11239, equation 7).
  double posterior_variance(int t) const;

 private:
  static std::size_t index(int t) { return static_cast<std::size_t>(t); }

  std::vector<double> beta_;       // [T+1], beta_[0] unused
  std::vector<double> alpha_bar_;  // [T+1]
};

}  // namespace srdiff
