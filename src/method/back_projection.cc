#include "srdiff/back_projection.h"

#include <ATen/ATen.h>

#include "srdiff/resize.h"

namespace srdiff {

at::Tensor back_project(const at::Tensor& high, const at::Tensor& low) {
  const at::Tensor residual = low - resize_bicubic(high, low.size(2), low.size(3));
  return (high + resize_bicubic(residual, high.size(2), high.size(3))).clamp(-1.0, 1.0);
}

}  // namespace srdiff
