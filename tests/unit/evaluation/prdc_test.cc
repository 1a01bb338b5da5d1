#include "evaluation/prdc.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "srdiff/error.h"

namespace srdiff {
namespace {

using Points = std::vector<at::Tensor>;

Points random_points(int count, double shift, std::uint64_t seed) {
  at::manual_seed(seed);
  Points points;
  for (int i = 0; i < count; ++i) {
    points.push_back(at::randn({3}, at::kDouble) + shift);
  }
  return points;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).norm().item<double>();
}

double radius(const Points& points, std::size_t of, int k) {
  std::vector<double> distances;
  for (const at::Tensor& point : points) {
    distances.push_back(distance(points[of], point));
  }
  std::sort(distances.begin(), distances.end());
  return distances[static_cast<std::size_t>(k)];
}

/// In how many of the neighbourhoods of `points` a point lies.
int neighbourhoods_around(const at::Tensor& point, const Points& points, int k) {
  int count = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    count += distance(point, points[i]) < radius(points, i, k) ? 1 : 0;
  }
  return count;
}

Prdc by_loops(const Points& reference, const Points& output, int k) {
  Prdc result;
  for (const at::Tensor& point : output) {
    const int inside = neighbourhoods_around(point, reference, k);
    result.precision += (inside > 0 ? 1.0 : 0.0) / static_cast<double>(output.size());
    result.density += inside / (k * static_cast<double>(output.size()));
  }
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double share = 1.0 / static_cast<double>(reference.size());
    result.recall += neighbourhoods_around(reference[i], output, k) > 0 ? share : 0.0;
    const double reach = radius(reference, i, k);
    const bool covered = std::any_of(output.begin(), output.end(), [&](const at::Tensor& point) {
      return distance(point, reference[i]) < reach;
    });
    result.coverage += covered ? share : 0.0;
  }
  return result;
}

TEST(Prdc, IsItsDefinition) {
  const Points reference = random_points(40, 0.0, 1);
  const Points output = random_points(30, 0.8, 2);
  for (const int k : {1, 5}) {
    const Prdc expected = by_loops(reference, output, k);
    const Prdc measured = prdc(at::stack(reference), at::stack(output), k);
    EXPECT_NEAR(measured.precision, expected.precision, 1e-12);
    EXPECT_NEAR(measured.recall, expected.recall, 1e-12);
    EXPECT_NEAR(measured.density, expected.density, 1e-12);
    EXPECT_NEAR(measured.coverage, expected.coverage, 1e-12);
    EXPECT_GT(measured.precision, 0.0);
    EXPECT_LT(measured.recall, 1.0);
  }
}

TEST(Prdc, TheSameSetIsCoveredWholly) {
  const at::Tensor points = at::stack(random_points(1200, 0.0, 3));  // more than one block of rows
  const Prdc same = prdc(points, points);
  EXPECT_NEAR(same.precision, 1.0, 1e-12);
  EXPECT_NEAR(same.recall, 1.0, 1e-12);
  EXPECT_NEAR(same.coverage, 1.0, 1e-12);
}

TEST(Prdc, NeedsMorePicturesThanNeighbours) {
  EXPECT_THROW(prdc(at::zeros({5, 3}), at::zeros({9, 3})), UsageError);
  EXPECT_THROW(prdc(at::zeros({9, 3}), at::zeros({9, 3}), 0), UsageError);
}

}  // namespace
}  // namespace srdiff
