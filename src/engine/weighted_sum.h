#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace srdiff {

struct WeightedTerm {
  at::Tensor tensor;
  double weight;
};

/// The sum of weight·tensor over terms of one shape, float32, with `clip` to [−1,1]. On a CUDA
/// device one kernel, where LibTorch's operators would read and write memory once for each of them.
at::Tensor weighted_sum(const std::vector<WeightedTerm>& terms, bool clip = false);

}  // namespace srdiff
