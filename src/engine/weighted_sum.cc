#include "engine/weighted_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels/kernels.h"
#endif

namespace srdiff {
namespace {

#ifdef SRDIFF_CUDA

bool takes_kernel(const std::vector<WeightedTerm>& terms) {
  const at::Tensor& first = terms.front().tensor;
  return first.is_cuda() && terms.size() <= WeightedSum::most &&
         std::all_of(terms.begin(), terms.end(), [&](const WeightedTerm& term) {
           return term.tensor.device() == first.device() && term.tensor.sizes() == first.sizes() &&
                  term.tensor.scalar_type() == c10::kFloat && term.tensor.is_contiguous();
         });
}

at::Tensor by_kernel(const std::vector<WeightedTerm>& terms, bool clip) {
  const at::Tensor& first = terms.front().tensor;
  const c10::cuda::CUDAGuard guard(first.device());
  WeightedSum sum;
  sum.clip = clip;
  for (const WeightedTerm& term : terms) {
    sum.terms[sum.count] = term.tensor.data_ptr<float>();
    sum.weights[sum.count++] = static_cast<float>(term.weight);
  }
  at::Tensor result = at::empty_like(first);
  C10_CUDA_CHECK(write_weighted_sum(sum, result.numel(), result.data_ptr<float>(),
                                    at::cuda::getCurrentCUDAStream()));
  return result;
}

#endif

}  // namespace

at::Tensor weighted_sum(const std::vector<WeightedTerm>& terms, bool clip) {
#ifdef SRDIFF_CUDA
  if (takes_kernel(terms)) {
    return by_kernel(terms, clip);
  }
#endif
  at::Tensor sum = terms.front().tensor * terms.front().weight;
  for (std::size_t i = 1; i < terms.size(); ++i) {
    sum = sum + terms[i].tensor * terms[i].weight;
  }
  return clip ? sum.clamp(-1.0, 1.0) : sum;
}

}  // namespace srdiff
