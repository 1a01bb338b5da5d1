#include "cpu_operators.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <vector>

#include "norm_silu.h"

namespace srdiff {
namespace {

thread_local OperatorState* current = nullptr;

at::Tensor plain_conv2d(const at::Tensor& x, const at::Tensor& weight,
                        const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                        at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups) {
  const at::Tensor b = bias.value_or(at::Tensor());
  return current == nullptr ? at::conv2d(x, weight, b, stride, padding, dilation, groups)
                            : current->packed(x, weight, b, stride, padding, dilation, groups);
}

/// The same, into blocks where that can be had.
at::Tensor conv2d_to_blocks(const at::Tensor& x, const at::Tensor& weight,
                            const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                            at::IntArrayRef padding, at::IntArrayRef dilation,
                            std::int64_t groups) {
  if (current != nullptr && current->blocked.takes(x, weight, stride, padding, dilation, groups)) {
    return current->blocked(x, weight, bias.value_or(at::Tensor()), stride, padding, dilation);
  }
  return plain_conv2d(from_blocks(x), weight, bias, stride, padding, dilation, groups);
}

/// cat along the channels.
at::Tensor cat_channels(const at::TensorList images) {
  if (std::all_of(images.begin(), images.end(), in_blocks)) {
    return at::cat(images, 1);
  }
  std::vector<at::Tensor> plain_ones;
  plain_ones.reserve(images.size());
  for (const at::Tensor& image : images) {
    plain_ones.push_back(from_blocks(image));
  }
  return at::cat(plain_ones, 1);
}

/// x + y, y of x's size or a value for each channel [N,C,1,1].
at::Tensor add_in_any_layout(const at::Tensor& x, const at::Tensor& y) {
  if (in_blocks(x) == in_blocks(y)) {
    return at::add(x, y);
  }
  const at::Tensor& blocks = in_blocks(x) ? x : y;
  const at::Tensor& other = in_blocks(x) ? y : x;
  const std::int64_t block = blocks.size(4);
  if (other.dim() == 4 && other.size(2) == 1 && other.size(3) == 1 &&
      other.size(1) == blocks.size(1) * block) {
    return at::add(blocks, other.reshape({other.size(0), blocks.size(1), 1, 1, block}));
  }
  return at::add(from_blocks(x), from_blocks(y));
}

at::Tensor upsample_in_any_layout(const at::Tensor& x, std::int64_t factor) {
  if (in_blocks(x)) {
    return repeat_pixels(x, factor);
  }
  return at::upsample_nearest2d(x, {x.size(2) * factor, x.size(3) * factor});
}

TORCH_LIBRARY(srdiff, library) {
  library.def("plain(Tensor(a) x) -> Tensor(a)");
  const std::string convolution =
      "(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, int "
      "groups) -> Tensor";
  library.def(("conv2d" + convolution).c_str());
  library.def(("conv2d_to_blocks" + convolution).c_str());
  library.def("cat_channels(Tensor[] images) -> Tensor");
  library.def("add(Tensor x, Tensor y) -> Tensor");
  library.def("upsample_nearest(Tensor x, int factor) -> Tensor");
  library.def(
      "group_norm_silu(Tensor x, int groups, Tensor? weight, Tensor? bias, float eps) -> Tensor");
  library.def("pixel_norm_silu(Tensor x, Tensor? weight, Tensor? bias, float eps) -> Tensor");
}

TORCH_LIBRARY_IMPL(srdiff, CPU, library) {
  library.impl("plain", from_blocks);
  library.impl("conv2d", plain_conv2d);
  library.impl("conv2d_to_blocks", conv2d_to_blocks);
  library.impl("cat_channels", cat_channels);
  library.impl("add", add_in_any_layout);
  library.impl("upsample_nearest", upsample_in_any_layout);
  library.impl("group_norm_silu", group_norm_silu);
  library.impl("pixel_norm_silu", pixel_norm_silu);
}

}  // namespace

OperatorScope::OperatorScope(OperatorState& state) : outer_(current) {
  current = &state;
}

OperatorScope::~OperatorScope() {
  current = outer_;
}

}  // namespace srdiff
