#include "engine/cpu/convolution_prepacked.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>
#include <vector>

namespace srdiff {
namespace {

/// LibTorch's operator of that name: it has no function in C++.
c10::IValue call(const char* name, std::vector<c10::IValue> stack) {
  const c10::OperatorHandle op = c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
  op.callBoxed(&stack);
  return stack.back();
}

}  // namespace

PackedConvolutions PackedConvolutions::for_another_thread() const {
  PackedConvolutions other;
  other.shared_ = shared_;
  return other;
}

at::Tensor PackedConvolutions::operator()(const at::Tensor& x, const at::Tensor& weight,
                                          const at::Tensor& bias, at::IntArrayRef stride,
                                          at::IntArrayRef padding, at::IntArrayRef dilation,
                                          std::int64_t groups) {
  if (x.scalar_type() != c10::kFloat || !x.device().is_cpu() || x.numel() == 0) {
    return at::conv2d(x, weight.to(x.scalar_type()), bias, stride, padding, dilation, groups);
  }
  Packed& packed = packed_[weight.unsafeGetTensorImpl()];
  if (x.suggest_memory_format() == at::MemoryFormat::ChannelsLast) {
    const std::vector<std::int64_t> size = x.sizes().vec();
    const std::array<std::vector<std::int64_t>, 4> steps = {
        stride.vec(), padding.vec(), dilation.vec(), {groups}};
    if (packed.size != size || !packed.bias.is_same(bias) || packed.steps != steps) {
      packed.for_channels_last =
          call("mkldnn_prepacked::conv2d_prepack",
               {weight.to(c10::kFloat), bias.defined() ? c10::IValue(bias) : c10::IValue(),
                stride.vec(), padding.vec(), dilation.vec(), groups, size, "none"});
      packed.size = size;
      packed.bias = bias;
      packed.steps = steps;
    }
    return call("mkldnn_prepacked::conv2d_run", {x, packed.for_channels_last}).toTensor();
  }
  if (!packed.for_nchw.defined()) {
    const std::lock_guard lock(shared_->mutex);
    at::Tensor& shared = shared_->for_nchw[weight.unsafeGetTensorImpl()];
    if (!shared.defined()) {
      shared = at::mkldnn_reorder_conv2d_weight(weight.to(c10::kFloat).contiguous().to_mkldnn(),
                                                padding, stride, dilation, groups);
    }
    packed.for_nchw = shared;
  }
  return at::mkldnn_convolution(x.contiguous(), packed.for_nchw, bias, padding, stride, dilation,
                                groups);
}

}  // namespace srdiff
