#include "engine/cpu/convolution_prepacked.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>
#include <vector>

namespace srdiff::cpu {
namespace {

/// Calls LibTorch's operator of that name, which has no function in C++.
c10::IValue call_operator(const char* name, std::vector<c10::IValue> stack) {
  const c10::OperatorHandle op = c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
  op.callBoxed(&stack);
  return stack.back();
}

}  // namespace

at::Tensor PrepackedConvolution::operator()(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias,
                                            const ConvolutionGeometry& geometry) {
  const bool of_float32 = x.scalar_type() == c10::kFloat && x.device().is_cpu() && x.numel() > 0;
  std::unique_lock lock(mutex_);
  memory_.require_for(x.sizes());
  if (!of_float32) {
    lock.unlock();
    return at::conv2d(x, weight.to(x.scalar_type()), bias, geometry.stride, geometry.padding,
                      geometry.dilation, geometry.groups);
  }
  if (!weight_.is_same(weight)) {
    weight_ = weight;
    for_nchw_ = at::Tensor();
    for_channels_last_ = Context();
  }
  if (x.suggest_memory_format() == at::MemoryFormat::ChannelsLast) {
    const c10::IValue packed = context(x, bias, geometry);
    lock.unlock();
    return call_operator("mkldnn_prepacked::conv2d_run", {x, packed}).toTensor();
  }
  const at::Tensor packed = nchw_weight(geometry);
  lock.unlock();
  return at::mkldnn_convolution(x.contiguous(), packed, bias, geometry.padding, geometry.stride,
                                geometry.dilation, geometry.groups);
}

c10::IValue PrepackedConvolution::context(const at::Tensor& x, const at::Tensor& bias,
                                          const ConvolutionGeometry& geometry) {
  Context& context = for_channels_last_;
  const std::array<std::vector<std::int64_t>, 4> lists = {
      geometry.stride.vec(), geometry.padding.vec(), geometry.dilation.vec(), {geometry.groups}};
  const std::vector<std::int64_t> size = x.sizes().vec();
  if (context.value.isNone() || context.size != size || !context.bias.is_same(bias) ||
      context.geometry != lists) {
    context.value =
        call_operator("mkldnn_prepacked::conv2d_prepack",
                      {weight_.to(c10::kFloat), bias.defined() ? c10::IValue(bias) : c10::IValue(),
                       lists[0], lists[1], lists[2], geometry.groups, size, "none"});
    context.size = size;
    context.bias = bias;
    context.geometry = lists;
  }
  return context.value;
}

at::Tensor PrepackedConvolution::nchw_weight(const ConvolutionGeometry& geometry) {
  if (!for_nchw_.defined()) {
    for_nchw_ = at::mkldnn_reorder_conv2d_weight(weight_.to(c10::kFloat).contiguous().to_mkldnn(),
                                                 geometry.padding, geometry.stride,
                                                 geometry.dilation, geometry.groups);
  }
  return for_nchw_;
}

}  // namespace srdiff::cpu
