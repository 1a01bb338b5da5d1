#include "pipeline/float32_fallback.h"

#include <ATen/ATen.h>

#include "srdiff/error.h"

namespace srdiff {

void FiniteWatch::add(const at::Tensor& values) {
  // A finite value times 0 is 0, another one is NaN. On a GPU this takes three kernels, where
  // all(isfinite) takes seven.
  const at::Tensor zero = values.mul(0.0).sum();
  zero_ = zero_.defined() ? zero_ + zero : zero;
}

bool FiniteWatch::all_finite() const {
  return !zero_.defined() || zero_.item<float>() == 0.0F;
}

at::Tensor finite_or_in_float32(const Model& model, const at::Tensor& made,
                                const FiniteWatch& watch, const WatchedWork& work) {
  if (watch.all_finite()) {
    return made;
  }
  if (model.precision() != c10::kFloat) {
    FiniteWatch exact_watch;
    at::Tensor exact = work(model.in_float32(), exact_watch);
    if (exact_watch.all_finite()) {
      return exact;
    }
  }
  throw InputError("the networks of " + model.manifest().name +
                   " gave values that are not finite for this picture");
}

}  // namespace srdiff
