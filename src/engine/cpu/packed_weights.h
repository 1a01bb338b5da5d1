#pragma once

#include <ATen/core/Tensor.h>

#include <mutex>

#include "engine/cpu/channel_padding.h"

namespace srdiff::cpu {

/// One weight in the order that one kind of kernel reads. It is ordered at the first call, and anew
/// where a call brings another weight. Several threads may ask at once.
class PackedWeight {
 public:
  using Order = at::Tensor(const at::Tensor& weight);

  /// order(weight), the weight's counts of channels filled up; always the same `order`.
  at::Tensor get(const at::Tensor& weight, Order* order) {
    const std::lock_guard lock(mutex_);
    if (!weight_.is_same(weight)) {
      packed_ = order(filled_weight(weight, filled_size(weight)));
      weight_ = weight;
    }
    return packed_;
  }

 private:
  std::mutex mutex_;
  at::Tensor weight_;  ///< held, so that no other tensor can have its address
  at::Tensor packed_;
};

}  // namespace srdiff::cpu
