#pragma once

#include <ATen/ATen.h>

namespace srdiff {

/// Whether no value is infinite or NaN; waits for the tensor's device.
inline bool is_finite(const at::Tensor& tensor) {
  return at::isfinite(tensor).all().item<bool>();
}

}  // namespace srdiff
