#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// KID's settings; the defaults are its paper's.
struct KernelDistanceOptions {
  std::int64_t subsets = 100;
  std::int64_t subset_size = 1000;  ///< pictures; at most those there are
};

/// Throws UsageError where they name no subset, or less than two pictures for one.
void check_subsets(const KernelDistanceOptions& options);

struct KernelDistance {
  double mean = 0.0;    ///< over the subsets
  double spread = 0.0;  ///< their standard deviation (divided by their number)
  std::int64_t subsets = 0;
  std::int64_t subset_size = 0;  ///< the size that was taken
};

/// Kernel Inception distance (Bińkowski et al., arXiv 1801.01401): the unbiased squared maximum
/// mean discrepancy under the kernel (x·y/D + 1)³, over random subsets of both sets, always the
/// same ones. It can be below 0 for equal distributions. Where a subset would be the whole of both
/// sets, it is taken once.
///
/// `a` [n,D] and `b` [m,D] are features, any floating type; computed in float64.
/// Throws UsageError below two pictures in a set or when D differs.
KernelDistance kernel_distance(const at::Tensor& a, const at::Tensor& b,
                               const KernelDistanceOptions& options = {});

}  // namespace srdiff
