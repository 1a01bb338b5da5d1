#include "evaluation/prdc.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "srdiff/error.h"

namespace srdiff {
namespace {

/// Rows of a distance matrix that are held at once: 80 MB against 10,000 others.
constexpr std::int64_t rows_at_once = 1000;

/// Squared Euclidean distances [rows,m] of x [rows,D] to y [m,D].
at::Tensor squared_distances(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor squares = x.square().sum(1, true) + y.square().sum(1).unsqueeze(0);
  return squares.addmm_(x, y.t(), 1.0, -2.0).clamp_min_(0.0);
}

template <typename Function>
void for_blocks(const at::Tensor& x, const Function& function) {
  for (std::int64_t first = 0; first < x.size(0); first += rows_at_once) {
    function(x.narrow(0, first, std::min(rows_at_once, x.size(0) - first)), first);
  }
}

/// The squared distance [n] of each member of x [n,D] to its k-th nearest other member.
at::Tensor neighbourhoods(const at::Tensor& x, int k) {
  std::vector<at::Tensor> radii;
  for_blocks(x, [&](const at::Tensor& rows, std::int64_t) {
    // The nearest is the point itself.
    radii.push_back(std::get<0>(squared_distances(rows, x).kthvalue(k + 1, 1)));
  });
  return at::cat(radii);
}

}  // namespace

Prdc prdc(const at::Tensor& reference, const at::Tensor& output, int k) {
  if (k < 1 || reference.size(0) <= k || output.size(0) <= k) {
    throw UsageError("precision and recall need more than " + std::to_string(k) +
                     " pictures in each set");
  }
  const at::Tensor x = reference.to(at::kDouble);
  const at::Tensor y = output.to(at::kDouble);
  const at::Tensor reference_radii = neighbourhoods(x, k);
  const at::Tensor output_radii = neighbourhoods(y, k);
  const auto n = static_cast<double>(x.size(0));
  const auto m = static_cast<double>(y.size(0));
  Prdc result;
  for_blocks(y, [&](const at::Tensor& rows, std::int64_t) {
    const at::Tensor inside = squared_distances(rows, x) < reference_radii;  // [rows,n]
    result.precision += inside.any(1).sum().item<double>() / m;
    result.density += inside.sum().item<double>() / (k * m);
  });
  for_blocks(x, [&](const at::Tensor& rows, std::int64_t first) {
    const at::Tensor distances = squared_distances(rows, y);  // [rows,m]
    result.recall += (distances < output_radii).any(1).sum().item<double>() / n;
    const at::Tensor own = reference_radii.narrow(0, first, rows.size(0));
    result.coverage += (distances < own.unsqueeze(1)).any(1).sum().item<double>() / n;
  });
  return result;
}

}  // namespace srdiff
