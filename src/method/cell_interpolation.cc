#include "method/cell_interpolation.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <vector>

namespace srdiff {
namespace {

/// One side of `low` made `scale` times as long.
at::Tensor interpolate_side(const at::Tensor& low, std::int64_t dim, std::int64_t scale) {
  const std::int64_t size = low.size(dim);
  const at::Tensor before = at::cat({low.narrow(dim, 0, 1), low.narrow(dim, 0, size - 1)}, dim);
  const at::Tensor behind =
      at::cat({low.narrow(dim, 1, size - 1), low.narrow(dim, size - 1, 1)}, dim);
  std::vector<at::Tensor> phases;
  for (std::int64_t i = 0; i < scale; ++i) {
    const double offset = (static_cast<double>(i) + 0.5) / static_cast<double>(scale) - 0.5;
    phases.push_back(offset < 0.0 ? low.mul(1.0 + offset).sub(before, offset)
                                  : low.mul(1.0 - offset).add(behind, offset));
  }
  std::vector<std::int64_t> sizes = low.sizes().vec();
  sizes[static_cast<std::size_t>(dim)] *= scale;
  return at::stack(phases, dim + 1).reshape(sizes);
}

}  // namespace

at::Tensor interpolate_cells(const at::Tensor& low, std::int64_t scale) {
  return interpolate_side(interpolate_side(low, 2, scale), 3, scale);
}

}  // namespace srdiff
