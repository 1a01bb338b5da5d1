#include "evaluation/kernel_distance.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "evaluation/random_index.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

at::Tensor kernel(const at::Tensor& x, const at::Tensor& y) {
  return at::mm(x, y.t()).div(static_cast<double>(x.size(1))).add(1.0).pow(3);
}

/// Mean of the kernel over pairs of different members.
double mean_within(const at::Tensor& x) {
  const at::Tensor values = kernel(x, x);
  const auto n = static_cast<double>(x.size(0));
  return (values.sum() - values.trace()).item<double>() / (n * (n - 1.0));
}

double discrepancy(const at::Tensor& x, const at::Tensor& y) {
  return mean_within(x) + mean_within(y) - 2.0 * kernel(x, y).mean().item<double>();
}

/// `size` different rows of x, in float64: the head of a shuffle (Fisher–Yates).
at::Tensor random_rows(const at::Tensor& x, std::int64_t size, RandomIndex& random) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.size(0)));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t other = i + random.below(x.size(0) - i);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(other)]);
  }
  const at::Tensor rows = at::from_blob(order.data(), {size}, at::kLong);
  return x.index_select(0, rows).to(at::kDouble);
}

}  // namespace

void check_subsets(const KernelDistanceOptions& options) {
  if (options.subsets < 1 || options.subset_size < 2) {
    throw UsageError("KID needs at least one subset of at least two pictures");
  }
}

KernelDistance kernel_distance(const at::Tensor& a, const at::Tensor& b,
                               const KernelDistanceOptions& options) {
  const std::int64_t smaller = std::min(a.size(0), b.size(0));
  if (a.dim() != 2 || b.dim() != 2 || a.size(1) != b.size(1) || smaller < 2) {
    throw UsageError("KID needs two sets of features [n,D], two pictures or more in each");
  }
  check_subsets(options);
  KernelDistance result;
  result.subset_size = std::min(options.subset_size, smaller);
  const bool whole = result.subset_size == std::max(a.size(0), b.size(0));
  result.subsets = whole ? 1 : options.subsets;
  RandomIndex random(0);
  std::vector<double> values;
  for (std::int64_t i = 0; i < result.subsets; ++i) {
    const at::Tensor x = random_rows(a, result.subset_size, random);
    const at::Tensor y = random_rows(b, result.subset_size, random);
    values.push_back(discrepancy(x, y));
  }
  const at::Tensor all = at::tensor(values, at::kDouble);
  result.mean = all.mean().item<double>();
  result.spread = (all - result.mean).square().mean().sqrt().item<double>();
  return result;
}

}  // namespace srdiff
