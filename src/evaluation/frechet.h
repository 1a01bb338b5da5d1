#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// The normal distribution that a Fréchet distance takes a set of features for.
struct Gaussian {
  at::Tensor mean;         ///< [D] float64
  at::Tensor factor;       ///< [r,D] float64, r ≤ D: factorᵀ·factor is the covariance
  std::int64_t count = 0;  ///< pictures it was fitted to; 0 where that is not known

  /// [D,D] float64, unbiased (divided by count − 1).
  at::Tensor covariance() const;

  /// From a mean [D] and a covariance [D,D], both float64; directions whose variance is rounding
  /// are left out. Throws UsageError on shapes that do not fit or values that are not finite.
  static Gaussian from_covariance(const at::Tensor& mean, const at::Tensor& covariance,
                                  std::int64_t count);
};

/// Fits a Gaussian to features as they come: float64, memory of order D² whatever their number.
/// Batches are merged by Chan, Golub and LeVeque's update (1979), so that the result depends on
/// their order and size only by rounding (1e-12).
class GaussianFit {
 public:
  explicit GaussianFit(std::int64_t dimensions);

  /// features [n,D], any floating type.
  void add(const at::Tensor& features);
  std::int64_t count() const { return count_ + pending_count_; }

  /// Throws UsageError below two pictures.
  Gaussian result() const;

 private:
  void merge_pending();

  std::int64_t dimensions_;
  // Up to D rows wait as they came: as long as there are no more, they are themselves an exact
  // factor of the covariance, of lower rank than D.
  at::Tensor pending_;  // [D,D]
  std::int64_t pending_count_ = 0;
  std::int64_t count_ = 0;  // merged into:
  at::Tensor mean_;         // [D]
  at::Tensor scatter_;      // [D,D], Σ (x − mean)(x − mean)ᵀ
};

/// Fréchet distance of two Gaussians (Dowson & Landau 1982; FID: Heusel et al., arXiv 1706.08500):
///
///     |μ_a − μ_b|² + tr Σ_a + tr Σ_b − 2 tr (Σ_a Σ_b)^½
///
/// With Σ = FᵀF the last trace is the sum of the singular values of F_a·F_bᵀ, the roots of the
/// eigenvalues of the symmetric F_b·Σ_a·F_bᵀ. Never below 0. Throws UsageError when D differs.
double frechet_distance(const Gaussian& a, const Gaussian& b);

}  // namespace srdiff
