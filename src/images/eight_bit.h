#pragma once

#include <ATen/ATen.h>

namespace srdiff {

/// RGB in [−1,1] → the whole numbers 0…255 that an 8-bit file holds of it, as float32.
inline at::Tensor eight_bit_levels(const at::Tensor& rgb) {
  return rgb.add(1.0).mul(0.5).clamp(0.0, 1.0).mul(255.0).round().to(at::kFloat);
}

/// What is read back from that file, in [−1,1].
inline at::Tensor as_in_eight_bit_file(const at::Tensor& rgb) {
  return eight_bit_levels(rgb).div(255.0).mul(2.0).sub(1.0);
}

}  // namespace srdiff
