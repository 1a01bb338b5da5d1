#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/integer_math.h"
#include "engine/cpu/blocked_layout.h"

namespace srdiff::cpu {

// Images and weights whose channels do not fill their blocks get channels of zeros.

/// The count of channels with those of zeros that fill the last block.
inline std::int64_t filled(std::int64_t channels) {
  return round_up(channels, channel_block());
}

/// constant_pad_nd with zeros; returns x itself where nothing is added.
inline at::Tensor padded(const at::Tensor& x, at::IntArrayRef by) {
  const bool adds = std::any_of(by.begin(), by.end(), [](std::int64_t count) { return count > 0; });
  return adds ? at::constant_pad_nd(x, by) : x;
}

/// The size of a weight [O,C,kh,kw] with both counts of channels filled up.
inline std::vector<std::int64_t> filled_size(const at::Tensor& weight) {
  return {filled(weight.size(0)), filled(weight.size(1)), weight.size(2), weight.size(3)};
}

/// A weight with both counts of channels filled up to `size`.
inline at::Tensor filled_weight(const at::Tensor& weight, at::IntArrayRef size) {
  return padded(weight, {0, 0, 0, 0, 0, size[1] - weight.size(1), 0, size[0] - weight.size(0)});
}

/// A bias [O] filled up, contiguous; zeros where there is none.
inline at::Tensor filled_bias(const at::Tensor& bias, std::int64_t outputs) {
  const std::int64_t size = filled(outputs);
  return bias.defined() ? padded(bias, {0, size - outputs}).contiguous()
                        : at::zeros({size}, at::kFloat);
}

/// The size [N,C,H,W] of an image with its channels filled up.
inline std::vector<std::int64_t> filled_image_size(const at::Tensor& x) {
  std::vector<std::int64_t> size = image_size(x);
  size[1] = filled(size[1]);
  return size;
}

/// An image in any layout, in contiguous blocks of `block` channels.
inline at::Tensor in_blocks_of(const at::Tensor& x, std::int64_t block) {
  return in_blocks(x) && x.size(4) == block ? x.contiguous() : to_blocks(from_blocks(x), block);
}

/// The same; the channels of a plain image are filled up first.
inline at::Tensor filled_blocks(const at::Tensor& x, std::int64_t block) {
  const std::int64_t missing = in_blocks(x) ? 0 : filled(x.size(1)) - x.size(1);
  return in_blocks_of(padded(x, {0, 0, 0, 0, 0, missing}), block);
}

}  // namespace srdiff::cpu
