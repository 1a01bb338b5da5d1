#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "srdiff/model.h"

namespace srdiff {

/// Looks for values that are not finite, which clipping may hide later, without waiting for the
/// values' device.
class FiniteWatch {
 public:
  void add(const at::Tensor& values);

  /// Whether all values so far were finite; waits for the device.
  bool all_finite() const;

 private:
  at::Tensor zero_;  ///< the sum of all values, each times 0
};

/// Makes an image with a model and has its values watched.
using WatchedWork = std::function<at::Tensor(const Model& model, FiniteWatch& watch)>;

/// `made`, where the watch over its making saw finite values only; else what `work` makes with the
/// model in float32, for reduced precisions overflow on some pictures (Model::in_float32 warns).
/// Throws InputError when float32 gives values that are not finite either.
at::Tensor finite_or_in_float32(const Model& model, const at::Tensor& made,
                                const FiniteWatch& watch, const WatchedWork& work);

}  // namespace srdiff
