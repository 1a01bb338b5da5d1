#include "srdiff/resize.h"

#include <ATen/ATen.h>

namespace srdiff {

at::Tensor resize_bicubic(const at::Tensor& images, std::int64_t height, std::int64_t width) {
  return at::_upsample_bicubic2d_aa(images, {height, width}, /*align_corners=*/false);
}

}  // namespace srdiff
