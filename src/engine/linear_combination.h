#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace srdiff {

/// A sum of weighted tensors of one shape, float32, written as arithmetic: (x − y·s) / a.
///
/// On the CPU each operation is computed at once, as it is written. On a CUDA device the weights
/// are collected, and one kernel computes the sum, where an operation each would read and write
/// memory each time. Formulas are therefore written once for every device.
class LinearCombination {
 public:
  explicit LinearCombination(at::Tensor tensor);

  friend LinearCombination operator*(const LinearCombination& sum, double factor);
  friend LinearCombination operator/(const LinearCombination& sum, double divisor);
  friend LinearCombination operator+(const LinearCombination& a, const LinearCombination& b);
  friend LinearCombination operator-(const LinearCombination& a, const LinearCombination& b);

  /// The sum, with `clip` to [−1,1]. NaN stays NaN.
  at::Tensor tensor(bool clip = false) const;

 private:
  using Term = std::pair<at::Tensor, double>;

  explicit LinearCombination(std::vector<Term> terms) : terms_(std::move(terms)) {}

  /// Whether the sum waits for `tensor`; the CPU's is one term of weight 1.
  bool is_collected() const;
  LinearCombination scaled(double factor) const;

  std::vector<Term> terms_;
};

}  // namespace srdiff
