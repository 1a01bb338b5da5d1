#include "engine/cpu/operators.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/cpu/attention.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/linear.h"
#include "engine/cpu/norm.h"
#include "engine/cpu/prelu.h"

namespace srdiff::cpu {
namespace {

using State = c10::intrusive_ptr<ConvolutionState>;

at::Tensor plain_conv2d(const at::Tensor& x, const at::Tensor& weight,
                        const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                        at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups,
                        const State& state) {
  return state->prepacked(x, weight, bias.value_or(at::Tensor()),
                          {stride, padding, dilation, groups});
}

/// conv2d with a result in blocks where a convolution in blocks takes it, and a plain one
/// otherwise.
at::Tensor conv2d_to_blocks(const at::Tensor& x, const at::Tensor& weight,
                            const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                            at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups,
                            const State& state) {
  at::Tensor blocks =
      state->blocked(x, weight, bias.value_or(at::Tensor()), {stride, padding, dilation, groups});
  return blocks.defined()
             ? blocks
             : plain_conv2d(from_blocks(x), weight, bias, stride, padding, dilation, groups, state);
}

/// `combine` of x and y, which works on values that lie at the same place; y is of x's size or a
/// value for each channel [N,C,1,1] or for all, or the other way round.
template <typename Combine>
at::Tensor combine_in_any_layout(const at::Tensor& x, const at::Tensor& y, const Combine& combine) {
  if (in_blocks(x) && in_blocks(y)) {
    return x.sizes() == y.sizes() ? combine(x, y) : combine(from_blocks(x), from_blocks(y));
  }
  if (in_blocks(x) == in_blocks(y) || x.dim() == 0 || y.dim() == 0) {
    return combine(x, y);
  }
  const at::Tensor& blocks = in_blocks(x) ? x : y;
  const at::Tensor& other = in_blocks(x) ? y : x;
  const std::int64_t block = blocks.size(4);
  if (other.dim() == 4 && other.size(2) == 1 && other.size(3) == 1 &&
      other.size(1) == blocks.size(1) * block) {
    return combine(blocks, other.reshape({other.size(0), blocks.size(1), 1, 1, block}));
  }
  return combine(from_blocks(x), from_blocks(y));
}

at::Tensor add_in_any_layout(const at::Tensor& x, const at::Tensor& y) {
  return combine_in_any_layout(
      x, y, [](const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); });
}

at::Tensor multiply_in_any_layout(const at::Tensor& x, const at::Tensor& y) {
  return combine_in_any_layout(
      x, y, [](const at::Tensor& a, const at::Tensor& b) { return at::mul(a, b); });
}

/// The value for each channel [C] that `addend` [N,C,1,1] stands for; undefined when it is
/// something else, or not the same for all images.
at::Tensor channel_offset(const at::Tensor& addend, std::int64_t channels) {
  if (addend.dim() != 4 || addend.size(1) != channels || addend.size(2) != 1 ||
      addend.size(3) != 1 || addend.scalar_type() != c10::kFloat || !addend.device().is_cpu()) {
    return {};
  }
  const at::Tensor rows = addend.contiguous();
  const auto* first = rows.data_ptr<float>();
  for (std::int64_t i = 1; i < rows.size(0); ++i) {
    if (!std::equal(first, first + channels, first + i * channels)) {
      return {};
    }
  }
  return rows[0].reshape({channels});
}

/// conv2d(x) + addend, which is an image or a value for each channel: one pass over memory less
/// than with a sum of its own.
at::Tensor conv2d_add_to_blocks(const at::Tensor& x, const at::Tensor& weight,
                                const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                                at::IntArrayRef padding, at::IntArrayRef dilation,
                                std::int64_t groups, const State& state, const at::Tensor& addend) {
  const at::Tensor offset = channel_offset(addend, weight.size(0));
  const ConvolutionGeometry geometry{stride, padding, dilation, groups};
  const at::Tensor own_bias = bias.value_or(at::Tensor());
  const bool folds = offset.defined() && (addend.size(0) == 1 || addend.size(0) == x.size(0));
  // Only convolutions in blocks read the bias anew in each call, so that an offset can be added to
  // it.
  at::Tensor sum =
      folds ? state->blocked(x, weight, own_bias.defined() ? own_bias + offset : offset, geometry)
            : state->blocked(x, weight, own_bias, geometry, addend);
  return sum.defined() ? sum
                       : add_in_any_layout(conv2d_to_blocks(x, weight, bias, stride, padding,
                                                            dilation, groups, state),
                                           addend);
}

at::Tensor upsample_in_any_layout(const at::Tensor& x, std::int64_t factor) {
  if (in_blocks(x)) {
    return repeat_pixels(x, factor);
  }
  return at::upsample_nearest2d(x, {x.size(2) * factor, x.size(3) * factor});
}

/// conv2d, with a padding of 1, of an image upsampled twice by repeating its pixels.
at::Tensor conv2d_of_upsampled(const at::Tensor& x, const at::Tensor& weight,
                               const c10::optional<at::Tensor>& bias, const State& state) {
  at::Tensor blocks = state->blocked.of_upsampled(x, weight, bias.value_or(at::Tensor()));
  return blocks.defined() ? blocks
                          : conv2d_to_blocks(upsample_in_any_layout(x, 2), weight, bias, {1, 1},
                                             {1, 1}, {1, 1}, 1, state);
}

/// What a norm writes. Convolutions in bf16 would round its result themselves, so that the graph
/// asks for bf16 where nothing else reads it.
c10::ScalarType norm_type(bool to_bf16) {
  return to_bf16 ? c10::kBFloat16 : c10::kFloat;
}

at::Tensor norm(const at::Tensor& x, std::int64_t groups, const c10::optional<at::Tensor>& weight,
                const c10::optional<at::Tensor>& bias, double eps, bool to_bf16) {
  return group_norm_in_any_layout(x, groups, weight, bias, eps, norm_type(to_bf16));
}

at::Tensor norm_silu(const at::Tensor& x, std::int64_t groups,
                     const c10::optional<at::Tensor>& weight, const c10::optional<at::Tensor>& bias,
                     double eps, bool to_bf16) {
  return group_norm_silu(x, groups, weight, bias, eps, norm_type(to_bf16));
}

at::Tensor channel_layer_norm_silu(const at::Tensor& x, const c10::optional<at::Tensor>& weight,
                                   const c10::optional<at::Tensor>& bias, double eps,
                                   bool to_bf16) {
  return layer_norm_silu(x, weight, bias, eps, norm_type(to_bf16));
}

/// cat along the channels.
at::Tensor cat_channels(const at::TensorList images) {
  if (std::all_of(images.begin(), images.end(), in_blocks)) {
    at::Tensor joined = join_channels(images);
    if (joined.defined()) {
      return joined;
    }
  }
  std::vector<at::Tensor> plain_ones;
  plain_ones.reserve(images.size());
  for (const at::Tensor& image : images) {
    plain_ones.push_back(from_blocks(image));
  }
  return at::cat(plain_ones, 1);
}

TORCH_LIBRARY(srdiff, library) {
  library.class_<ConvolutionState>("ConvolutionState");
  library.def("plain(Tensor(a) x) -> Tensor(a)");
  const std::string state = "__torch__.torch.classes.srdiff.ConvolutionState state";
  const std::string convolution =
      "(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] dilation, int "
      "groups, " +
      state;
  library.def(("conv2d" + convolution + ") -> Tensor").c_str());
  library.def(("conv2d_to_blocks" + convolution + ") -> Tensor").c_str());
  library.def(("conv2d_add_to_blocks" + convolution + ", Tensor addend) -> Tensor").c_str());
  library.def(
      ("conv2d_of_upsampled(Tensor x, Tensor weight, Tensor? bias, " + state + ") -> Tensor")
          .c_str());
  library.def("cat_channels(Tensor[] images) -> Tensor");
  library.def("add(Tensor x, Tensor y) -> Tensor");
  library.def("mul(Tensor x, Tensor y) -> Tensor");
  library.def("prelu(Tensor x, Tensor weight) -> Tensor");
  library.def("channels(Tensor(a) x, int first, int count) -> Tensor(a)");
  library.def("size(Tensor x) -> int[]");
  library.def("upsample_nearest(Tensor x, int factor) -> Tensor");
  library.def("attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor");
  library.def("linear(Tensor x, Tensor weight, Tensor bias) -> Tensor");
  library.def("silu(Tensor x) -> Tensor");
  library.def("sigmoid(Tensor x) -> Tensor");
  const std::string group_norm =
      "(Tensor x, int groups, Tensor? weight, Tensor? bias, float eps, bool to_bf16) -> "
      "Tensor";
  library.def(("group_norm" + group_norm).c_str());
  library.def(("group_norm_silu" + group_norm).c_str());
  library.def(
      "layer_norm_silu(Tensor x, Tensor? weight, Tensor? bias, float eps, bool to_bf16) -> "
      "Tensor");
}

TORCH_LIBRARY_IMPL(srdiff, CPU, library) {
  library.impl("plain", from_blocks);
  library.impl("conv2d", plain_conv2d);
  library.impl("conv2d_to_blocks", conv2d_to_blocks);
  library.impl("conv2d_add_to_blocks", conv2d_add_to_blocks);
  library.impl("conv2d_of_upsampled", conv2d_of_upsampled);
  library.impl("cat_channels", cat_channels);
  library.impl("add", add_in_any_layout);
  library.impl("mul", multiply_in_any_layout);
  library.impl("prelu", prelu_in_any_layout);
  library.impl("channels", take_channels);
  library.impl("size", image_size);
  library.impl("upsample_nearest", upsample_in_any_layout);
  library.impl("attention", attention);
  library.impl("linear", linear_of_rows);
  library.impl("silu", silu_of_each);
  library.impl("sigmoid", sigmoid_of_each);
  library.impl("group_norm", norm);
  library.impl("group_norm_silu", norm_silu);
  library.impl("layer_norm_silu", channel_layer_norm_silu);
}

}  // namespace

}  // namespace srdiff::cpu
