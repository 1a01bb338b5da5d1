#pragma once

#include <c10/util/ArrayRef.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace srdiff {

/// A convolution's steps, each of two directions.
struct ConvolutionSteps {
  c10::IntArrayRef stride;
  c10::IntArrayRef padding;
  c10::IntArrayRef dilation;
  std::int64_t groups = 1;
};

/// [N,O,H,W], with sides of 0 where the filter does not fit, that a filter [O,C,kh,kw] makes of an
/// image [N,C,H,W].
inline std::vector<std::int64_t> convolved_size(c10::IntArrayRef image, c10::IntArrayRef filter,
                                                const ConvolutionSteps& steps) {
  std::vector<std::int64_t> size = {image[0], filter[0], 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = steps.dilation[i] * (filter[i + 2] - 1) + 1;
    const std::int64_t room = image[i + 2] + 2 * steps.padding[i] - reach;
    size[i + 2] = room < 0 ? 0 : room / steps.stride[i] + 1;
  }
  return size;
}

}  // namespace srdiff
