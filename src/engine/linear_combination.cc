#include "engine/linear_combination.h"

#include <ATen/ATen.h>

#include <algorithm>

#ifdef SRDIFF_CUDA
#include "engine/cuda/tensor_kernels.h"
#endif

namespace srdiff {

LinearCombination::LinearCombination(at::Tensor tensor) : terms_{{std::move(tensor), 1.0}} {}

bool LinearCombination::is_collected() const {
  return terms_.front().first.is_cuda();
}

LinearCombination LinearCombination::scaled(double factor) const {
  std::vector<Term> terms = terms_;
  for (Term& term : terms) {
    term.second *= factor;
  }
  return LinearCombination(std::move(terms));
}

LinearCombination operator*(const LinearCombination& sum, double factor) {
  return sum.is_collected() ? sum.scaled(factor)
                            : LinearCombination(sum.terms_.front().first * factor);
}

LinearCombination operator/(const LinearCombination& sum, double divisor) {
  return sum.is_collected() ? sum.scaled(1.0 / divisor)
                            : LinearCombination(sum.terms_.front().first / divisor);
}

LinearCombination operator+(const LinearCombination& a, const LinearCombination& b) {
  if (!a.is_collected()) {
    return LinearCombination(a.terms_.front().first + b.terms_.front().first);
  }
  LinearCombination sum = a;
  for (const auto& [tensor, weight] : b.terms_) {
    const at::Tensor& added = tensor;
    const auto same = std::find_if(sum.terms_.begin(), sum.terms_.end(),
                                   [&](const auto& term) { return term.first.is_same(added); });
    if (same != sum.terms_.end()) {
      same->second += weight;
    } else {
      sum.terms_.emplace_back(tensor, weight);
    }
  }
  return sum;
}

LinearCombination operator-(const LinearCombination& a, const LinearCombination& b) {
  return a.is_collected() ? a + b.scaled(-1.0)
                          : LinearCombination(a.terms_.front().first - b.terms_.front().first);
}

at::Tensor LinearCombination::tensor(bool clip) const {
#ifdef SRDIFF_CUDA
  if (is_collected() && (terms_.size() > 1 || terms_.front().second != 1.0)) {
    at::Tensor sum = cuda::weighted_sum(terms_, clip);
    if (sum.defined()) {
      return sum;
    }
  }
#endif
  at::Tensor sum = terms_.front().first;
  if (terms_.front().second != 1.0) {
    sum = sum * terms_.front().second;
  }
  for (std::size_t i = 1; i < terms_.size(); ++i) {
    sum = sum + terms_[i].first * terms_[i].second;
  }
  return clip ? sum.clamp(-1.0, 1.0) : sum;
}

}  // namespace srdiff
