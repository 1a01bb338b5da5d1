#include "evaluation/frechet.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/finite.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// A covariance that was computed in float32 is less wrong than this part of its largest value.
constexpr double max_relative_error = 1e-3;

}  // namespace

at::Tensor Gaussian::covariance() const {
  return at::mm(factor.t(), factor);
}

Gaussian Gaussian::from_covariance(const at::Tensor& mean, const at::Tensor& covariance,
                                   std::int64_t count) {
  const std::int64_t dimensions = mean.numel();
  if (mean.dim() != 1 || covariance.sizes() != at::IntArrayRef({dimensions, dimensions})) {
    throw UsageError("a Gaussian needs a mean [D] and a covariance [D,D]");
  }
  if (!is_finite(mean) || !is_finite(covariance)) {
    throw UsageError("a Gaussian's mean or covariance holds values that are not finite");
  }
  const auto [variances, directions] = at::linalg_eigh(covariance);
  // The threshold of a numerical rank: below it a variance, negative ones included, is rounding.
  const double rounding = static_cast<double>(dimensions) * std::numeric_limits<double>::epsilon() *
                          variances.abs().max().item<double>();
  const auto largest = covariance.abs().max().item<double>();
  const auto asymmetry = (covariance - covariance.t()).abs().max().item<double>();
  if (asymmetry > max_relative_error * largest ||
      variances.min().item<double>() < -max_relative_error * largest) {
    throw UsageError("a Gaussian's covariance is not symmetric with variances of 0 or more");
  }
  const at::Tensor kept = at::nonzero(variances > rounding).squeeze(1);
  const at::Tensor lengths = variances.index_select(0, kept).sqrt().unsqueeze(1);
  return {mean, directions.t().index_select(0, kept) * lengths, count};
}

GaussianFit::GaussianFit(std::int64_t dimensions)
    : dimensions_(dimensions), pending_(at::empty({dimensions, dimensions}, at::kDouble)) {}

void GaussianFit::add(const at::Tensor& features) {
  if (features.dim() != 2 || features.size(1) != dimensions_) {
    throw UsageError("the features are not [n," + std::to_string(dimensions_) + "]");
  }
  const std::int64_t rows = features.size(0);
  for (std::int64_t first = 0; first < rows;) {
    if (pending_count_ == dimensions_) {
      merge_pending();
    }
    const std::int64_t n = std::min(rows - first, dimensions_ - pending_count_);
    pending_.narrow(0, pending_count_, n).copy_(features.narrow(0, first, n));
    pending_count_ += n;
    first += n;
  }
}

void GaussianFit::merge_pending() {
  const at::Tensor rows = pending_.narrow(0, 0, pending_count_);
  const at::Tensor mean = rows.mean(0);
  const at::Tensor centred = rows - mean;
  if (count_ == 0) {
    mean_ = mean;
    scatter_ = at::mm(centred.t(), centred);
  } else {
    const auto n = static_cast<double>(pending_count_);
    const auto total = n + static_cast<double>(count_);
    const at::Tensor shift = mean - mean_;
    scatter_.addmm_(centred.t(), centred);
    scatter_.addr_(shift, shift, 1.0, n * static_cast<double>(count_) / total);
    mean_ = mean_ + shift * (n / total);
  }
  count_ += pending_count_;
  pending_count_ = 0;
}

Gaussian GaussianFit::result() const {
  if (count() < 2) {
    throw UsageError("a Gaussian cannot be fitted to fewer than two pictures");
  }
  const double divisor = static_cast<double>(count()) - 1.0;
  if (count_ == 0) {
    const at::Tensor rows = pending_.narrow(0, 0, pending_count_);
    const at::Tensor mean = rows.mean(0);
    return {mean, (rows - mean) / std::sqrt(divisor), count()};
  }
  GaussianFit merged(*this);
  merged.scatter_ = scatter_.clone();
  if (pending_count_ > 0) {
    merged.merge_pending();
  }
  return Gaussian::from_covariance(merged.mean_, merged.scatter_ / divisor, count());
}

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  if (a.mean.numel() != b.mean.numel()) {
    throw UsageError("features of " + std::to_string(a.mean.numel()) + " and of " +
                     std::to_string(b.mean.numel()) + " dimensions cannot be compared");
  }
  const auto means = (a.mean - b.mean).square().sum().item<double>();
  const auto traces = (a.factor.square().sum() + b.factor.square().sum()).item<double>();
  const auto common = at::linalg_svdvals(at::mm(a.factor, b.factor.t())).sum().item<double>();
  return std::max(0.0, means + traces - 2.0 * common);
}

}  // namespace srdiff
