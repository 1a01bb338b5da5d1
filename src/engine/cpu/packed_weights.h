#pragma once

#include <ATen/core/Tensor.h>

#include <mutex>
#include <unordered_map>

#include "engine/cpu/channel_padding.h"

namespace srdiff {

/// Weights in the order that one kind of kernel reads, each made once. Weights are recognised by
/// their addresses. Several threads may ask at once.
class FiltersOfWeights {
 public:
  /// order(weight), the weight's counts of channels filled up; always the same `order`.
  at::Tensor get(const at::Tensor& weight, at::Tensor (*order)(const at::Tensor&)) {
    const std::lock_guard lock(mutex_);
    at::Tensor& filters = filters_[weight.unsafeGetTensorImpl()];
    if (!filters.defined()) {
      filters = order(filled_weight(weight, filled_size(weight)));
    }
    return filters;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const void*, at::Tensor> filters_;
};

}  // namespace srdiff
