#include <ATen/ATen.h>

#include <array>
#include <memory>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/channel_padding.h"
#include "engine/cpu/convolution_direct.h"
#include "engine/cpu/convolution_kernel.h"
#include "engine/cpu/packed_weights.h"

namespace srdiff::cpu {

bool has_bf16_convolutions() {
  return false;
}

struct ConvolutionKernels::State {
  PackedWeight filters;
};

ConvolutionKernels::ConvolutionKernels(bool /*in_bf16*/) : state_(std::make_unique<State>()) {}

ConvolutionKernels::~ConvolutionKernels() = default;

bool ConvolutionKernels::in_bf16() const {
  return false;
}

at::Tensor ConvolutionKernels::in_these_blocks(const at::Tensor& x) const {
  return in_blocks_of(x, channel_block());
}

at::Tensor ConvolutionKernels::input(const at::Tensor& x) const {
  return filled_blocks(x, channel_block());
}

at::Tensor ConvolutionKernels::operator()(const at::Tensor& x, const at::Tensor& weight,
                                          const at::Tensor& bias,
                                          const ConvolutionGeometry& geometry,
                                          const at::Tensor& addend) {
  return direct_convolution(input(x), state_->filters.get(weight, direct_filters),
                            filled_size(weight), bias, geometry, addend);
}

at::Tensor ConvolutionKernels::of_upsampled(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias) {
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  return (*this)(repeat_pixels(input(x), 2), weight, bias, {one, one, one}, {});
}

}  // namespace srdiff::cpu
