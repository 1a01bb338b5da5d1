#pragma once

#include <c10/util/ArrayRef.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace srdiff::cpu {

/// A convolution's geometry, each list of two directions.
struct ConvolutionGeometry {
  c10::IntArrayRef stride;
  c10::IntArrayRef padding;
  c10::IntArrayRef dilation;
  std::int64_t groups = 1;
};

/// [N,O,H,W], with sides of 0 where the filter does not fit, that a filter [O,C,kh,kw] makes of an
/// image [N,C,H,W].
inline std::vector<std::int64_t> convolved_size(c10::IntArrayRef image, c10::IntArrayRef filter,
                                                const ConvolutionGeometry& geometry) {
  std::vector<std::int64_t> size = {image[0], filter[0], 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = geometry.dilation[i] * (filter[i + 2] - 1) + 1;
    const std::int64_t room = image[i + 2] + 2 * geometry.padding[i] - reach;
    size[i + 2] = room < 0 ? 0 : room / geometry.stride[i] + 1;
  }
  return size;
}

}  // namespace srdiff::cpu
