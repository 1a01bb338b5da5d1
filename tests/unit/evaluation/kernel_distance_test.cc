#include "evaluation/kernel_distance.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "srdiff/error.h"

namespace srdiff {
namespace {

at::Tensor random_features(std::int64_t count, double shift, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({count, 6}) + shift;
}

/// The definition, term by term.
double by_loops(const at::Tensor& a, const at::Tensor& b) {
  const auto kernel = [](const at::Tensor& x, const at::Tensor& y) {
    return std::pow(x.dot(y).item<double>() / 6.0 + 1.0, 3);
  };
  const at::Tensor x = a.to(at::kDouble);
  const at::Tensor y = b.to(at::kDouble);
  const std::int64_t n = x.size(0);
  double within = 0.0;
  double between = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      within += i == j ? 0.0 : kernel(x[i], x[j]) + kernel(y[i], y[j]);
      between += kernel(x[i], y[j]);
    }
  }
  const auto count = static_cast<double>(n);
  return within / (count * (count - 1.0)) - 2.0 * between / (count * count);
}

TEST(KernelDistance, IsItsDefinition) {
  const at::Tensor a = random_features(12, 0.0, 1);
  const at::Tensor b = random_features(12, 0.4, 2);
  const KernelDistance distance = kernel_distance(a, b);
  EXPECT_NEAR(distance.mean, by_loops(a, b), 1e-12);
  EXPECT_EQ(distance.spread, 0.0);
  EXPECT_EQ(distance.subsets, 1);
  EXPECT_EQ(distance.subset_size, 12);
}

TEST(KernelDistance, SubsetsScatterAroundTheWhole) {
  const at::Tensor a = random_features(200, 0.0, 3);
  const at::Tensor b = random_features(200, 0.5, 4);
  const KernelDistance whole = kernel_distance(a, b);
  const KernelDistance parts = kernel_distance(a, b, {200, 50});
  EXPECT_EQ(parts.subsets, 200);
  EXPECT_GT(parts.spread, 0.0);
  EXPECT_NEAR(parts.mean, whole.mean, 4.0 * parts.spread / std::sqrt(200.0));
  EXPECT_EQ(parts.mean, kernel_distance(a, b, {200, 50}).mean);
}

TEST(KernelDistance, SetsOfUnequalSizeAreTakenInSubsets) {
  const KernelDistance distance =
      kernel_distance(random_features(20, 0.0, 5), random_features(30, 0.0, 6));
  EXPECT_EQ(distance.subset_size, 20);
  EXPECT_EQ(distance.subsets, 100);
}

TEST(KernelDistance, RefusesWhatItCannotCompare) {
  EXPECT_THROW(kernel_distance(at::zeros({1, 6}), at::zeros({5, 6})), UsageError);
  EXPECT_THROW(kernel_distance(at::zeros({5, 6}), at::zeros({5, 7})), UsageError);
  EXPECT_THROW(kernel_distance(at::zeros({5, 6}), at::zeros({5, 6}), {1, 1}), UsageError);
}

}  // namespace
}  // namespace srdiff
