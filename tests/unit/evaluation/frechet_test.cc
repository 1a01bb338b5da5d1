#include "evaluation/frechet.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "srdiff/error.h"

namespace srdiff {
namespace {

at::Tensor random_features(std::int64_t count, std::int64_t dimensions, std::uint64_t seed) {
  at::manual_seed(seed);
  // Correlated and of unequal spread, as features are.
  const at::Tensor mixing =
      at::randn({dimensions, dimensions}) * at::logspace(0, -3, dimensions).unsqueeze(1);
  return at::mm(at::randn({count, dimensions}), mixing) + 0.5;
}

Gaussian fit(const at::Tensor& features, std::int64_t batch) {
  GaussianFit fit(features.size(1));
  for (const at::Tensor& part : features.split(batch)) {
    fit.add(part);
  }
  return fit.result();
}

Gaussian gaussian(const at::Tensor& mean, const at::Tensor& covariance) {
  return Gaussian::from_covariance(mean.to(at::kDouble), covariance.to(at::kDouble), 0);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(GaussianFit, IsTheMeanAndCovarianceOfAllPictures) {
  const at::Tensor features = random_features(500, 24, 1);
  const at::Tensor exact = features.to(at::kDouble);
  const at::Tensor centred = exact - exact.mean(0);
  const Gaussian result = fit(features, 7);
  EXPECT_EQ(result.count, 500);
  EXPECT_LT(largest_difference(result.mean, exact.mean(0)), 1e-12);
  EXPECT_LT(largest_difference(result.covariance(), at::mm(centred.t(), centred) / 499.0), 1e-12);
}

TEST(GaussianFit, DoesNotDependOnOrderOrBatch) {
  const at::Tensor features = random_features(300, 24, 2);
  const at::Tensor far_away = features + 1e4;  // sums of squares would lose eight digits here
  const Gaussian whole = fit(far_away, 300);
  const Gaussian backwards = fit(far_away.flip(0), 1);
  EXPECT_LT(largest_difference(whole.mean, backwards.mean), 1e-9);
  EXPECT_LT(largest_difference(whole.covariance(), backwards.covariance()), 1e-9);

  const Gaussian other = fit(random_features(300, 24, 3) + 1e4, 11);
  const double distance = frechet_distance(whole, other);
  EXPECT_NEAR(frechet_distance(backwards, other), distance, 1e-6 * distance);
}

TEST(GaussianFit, KeepsOnlyTheRankThatFewPicturesHave) {
  const Gaussian few = fit(random_features(10, 24, 4), 3);
  EXPECT_EQ(few.factor.size(0), 10);
  const Gaussian same = Gaussian::from_covariance(few.mean, few.covariance(), 10);
  EXPECT_EQ(same.factor.size(0), 9);
  EXPECT_NEAR(frechet_distance(few, same), 0.0, 1e-9);
}

TEST(GaussianFit, NeedsTwoPictures) {
  GaussianFit fit(3);
  fit.add(at::zeros({1, 3}));
  EXPECT_THROW(fit.result(), UsageError);
  EXPECT_THROW(fit.add(at::zeros({1, 4})), UsageError);
}

TEST(FrechetDistance, OfDiagonalGaussiansIsThatOfTheirStandardDeviations) {
  const at::Tensor a = at::tensor({4.0, 1.0, 0.25});
  const at::Tensor b = at::tensor({1.0, 9.0, 0.0});
  const at::Tensor mean = at::tensor({1.0, 0.0, -2.0});
  // |μ|² + Σ (σ_a − σ_b)²: a direction without variance on one side takes part.
  EXPECT_NEAR(frechet_distance(gaussian(mean, a.diag()), gaussian(mean * 0.0, b.diag())),
              5.0 + 1.0 + 4.0 + 0.25, 1e-12);
}

TEST(FrechetDistance, OfFullCovariancesIsTheClosedForm) {
  // In two dimensions tr (AB)^½ = √(tr AB + 2 √(det A · det B)).
  const at::Tensor a = at::tensor({3.0, 1.0, 1.0, 2.0}).reshape({2, 2});
  const at::Tensor b = at::tensor({1.0, -0.4, -0.4, 5.0}).reshape({2, 2});
  const double product = at::mm(a, b).trace().item<double>();
  const double expected =
      3.0 + 2.0 + 1.0 + 5.0 - 2.0 * std::sqrt(product + 2.0 * std::sqrt(5.0 * 4.84));
  const at::Tensor zero = at::zeros({2});
  EXPECT_NEAR(frechet_distance(gaussian(zero, a), gaussian(zero, b)), expected, 1e-12);
}

TEST(FrechetDistance, ToItselfIsZero) {
  for (const std::int64_t count : {5, 31, 33, 400}) {
    const at::Tensor features = random_features(count, 32, 5);
    const Gaussian one = fit(features, 8);
    const Gaussian again = fit(features.flip(0), 5);
    const Gaussian read = Gaussian::from_covariance(one.mean, one.covariance(), count);
    for (const Gaussian& other : {one, again, read}) {
      const double distance = frechet_distance(one, other);
      EXPECT_GE(distance, 0.0) << count;
      EXPECT_LE(distance, 1e-4) << count;
    }
  }
}

TEST(FrechetDistance, AShiftOfTheMeanMovesItByItsSquare) {
  const at::Tensor features = random_features(200, 32, 6);
  const at::Tensor others = random_features(150, 32, 7);
  const Gaussian reference = fit(features, 200);
  const double still = frechet_distance(reference, fit(others, 150));
  const at::Tensor away = at::ones({32});  // across what separates the means
  const at::Tensor apart = reference.mean - others.to(at::kDouble).mean(0);
  const at::Tensor shift = away - apart * (away.dot(apart.to(at::kFloat)) / apart.square().sum());
  const double moved = frechet_distance(reference, fit(others.to(at::kDouble) + shift, 150));
  const double square = shift.square().sum().item<double>();
  EXPECT_NEAR(moved - still, square, 1e-5 * square);
}

TEST(FrechetDistance, OfOtherDimensionsIsRefused) {
  EXPECT_THROW(
      frechet_distance(gaussian(at::zeros({2}), at::eye(2)), gaussian(at::zeros({3}), at::eye(3))),
      UsageError);
  EXPECT_THROW(gaussian(at::zeros({2}), at::eye(3)), UsageError);
  EXPECT_THROW(gaussian(at::zeros({2}), at::eye(2) / 0.0), UsageError);
}

}  // namespace
}  // namespace srdiff
