#include "srdiff/consistency.h"

#include <ATen/ATen.h>

#include <cmath>

#include "srdiff/resize.h"

namespace srdiff {
namespace {

constexpr double pi = 3.14159265358979323846;

/// Bounds of the eigenvalues of D·U, measured at scales 2 to 8: 0.22 to 0.24 for a chequerboard of
/// the input's pixels, 1 for a plane.
constexpr double least_eigenvalue = 0.2;
constexpr double largest_eigenvalue = 1.0;

/// The second round takes up what clamping undid in the first. Three steps leave 3 % of a
/// residual at most.
constexpr std::int64_t rounds = 2;
constexpr std::int64_t chebyshev_steps = 3;

// A round reads 2 rows for D·x, 4 for each D·U (the first is of zeros) and 2 for U.
static_assert(consistency_reach == rounds * (2 + 4 * (chebyshev_steps - 1) + 2));

at::Tensor to_size_of(const at::Tensor& images, const at::Tensor& other) {
  return resize_bicubic(images, other.size(2), other.size(3));
}

}  // namespace

at::Tensor consistent(const at::Tensor& high, const at::Tensor& low) {
  constexpr double centre = (largest_eigenvalue + least_eigenvalue) / 2;
  constexpr double radius = (largest_eigenvalue - least_eigenvalue) / 2;
  at::Tensor x = high;
  for (std::int64_t round = 0; round < rounds; ++round) {
    const at::Tensor residual = low - to_size_of(x, low);
    at::Tensor correction;  // in the input's pixels
    for (std::int64_t k = 0; k < chebyshev_steps; ++k) {
      const double step =
          1.0 / (centre + radius * std::cos(static_cast<double>(2 * k + 1) * pi / (2 * chebyshev_steps)));
      correction =
          k == 0 ? residual * step
                 : correction + (residual - to_size_of(to_size_of(correction, x), low)) * step;
    }
    x = (x + to_size_of(correction, x)).clamp(-1.0, 1.0);
  }
  return x;
}

}  // namespace srdiff
