#include "engine/cpu/convolution.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/channel_padding.h"
#include "engine/cpu/convolution_kernel.h"
#include "engine/cpu/convolution_winograd.h"
#include "engine/cpu/packed_weights.h"

namespace srdiff::cpu {
namespace {

constexpr std::array<std::int64_t, 2> one = {1, 1};
const ConvolutionGeometry geometry_of_upsampled = {one, one, one};

/// A call whose image and weight are of a kind that is computed here.
struct ConvolutionCall {
  const at::Tensor& x;
  const at::Tensor& weight;
  const at::Tensor& bias;  ///< contiguous, of the filled channels
  const ConvolutionGeometry& geometry;
  const at::Tensor& addend;  ///< in the kernels' blocks, or undefined
  bool upsamples = false;

  /// [N,C,H,W] of what is convolved, with its channels filled up.
  std::vector<std::int64_t> image() const {
    std::vector<std::int64_t> size = filled_image_size(x);
    size[2] *= upsamples ? 2 : 1;
    size[3] *= upsamples ? 2 : 1;
    return size;
  }
};

bool are_one(at::IntArrayRef values) {
  return std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == 1; });
}

}  // namespace

bool fits_blocks(const at::Tensor& weight) {
  return channel_block() > 0 && weight.dim() == 4 && filled(weight.size(0)) <= 2 * weight.size(0) &&
         filled(weight.size(1)) <= 2 * weight.size(1);
}

struct BlockedConvolution::State {
  explicit State(bool in_bf16) : kernels(in_bf16) {}

  ConvolutionKernels kernels;
  PackedWeight winograd_weight;

  /// Whether x and weight are of a kind that is computed here at all.
  bool take(const at::Tensor& x, const at::Tensor& weight) const {
    const bool of_blocks = in_blocks(x);
    const bool can_be_read = x.scalar_type() == c10::kFloat ||
                             (of_blocks && kernels.in_bf16() && x.scalar_type() == c10::kBFloat16);
    const bool weight_can_be_read =
        weight.scalar_type() == c10::kFloat || weight.scalar_type() == c10::kHalf;
    return fits_blocks(weight) && (x.dim() == 4 || of_blocks) && can_be_read &&
           weight_can_be_read && x.device().is_cpu() && x.numel() > 0 &&
           image_size(x)[1] == weight.size(1);
  }

  // Implementations: each gives the result in blocks, or nothing where it does not take the call.

  at::Tensor by_winograd(const ConvolutionCall& call) {
    const auto& [stride, padding, dilation, groups] = call.geometry;
    const std::vector<std::int64_t> image = call.image();
    const bool suits =
        !kernels.in_bf16() && call.weight.size(2) == 3 && call.weight.size(3) == 3 &&
        are_one(stride) && are_one(padding) && are_one(dilation) &&
        suits_winograd({image[0], filled(call.weight.size(0)), image[2], image[3]}, image[1]);
    return suits ? winograd_convolution(
                       kernels.input(call.x), winograd_weight.get(call.weight, winograd_filters),
                       {filled(call.weight.size(0)), call.bias, call.addend, call.upsamples})
                 : at::Tensor();
  }

  at::Tensor by_kernels(const ConvolutionCall& call) {
    return call.upsamples ? kernels.of_upsampled(call.x, call.weight, call.bias)
                          : kernels(call.x, call.weight, call.bias, call.geometry, call.addend);
  }

  /// By the first implementation that takes the call, in order of preference.
  at::Tensor compute(const ConvolutionCall& call) {
    using Implementation = at::Tensor (State::*)(const ConvolutionCall&);
    static constexpr std::array<Implementation, 2> implementations = {&State::by_winograd,
                                                                      &State::by_kernels};
    at::Tensor result;
    for (const Implementation implementation : implementations) {
      result = (this->*implementation)(call);
      if (result.defined()) {
        break;
      }
    }
    return result;
  }
};

BlockedConvolution::BlockedConvolution(bool in_bf16) : state_(std::make_unique<State>(in_bf16)) {}

BlockedConvolution::~BlockedConvolution() = default;

bool BlockedConvolution::in_bf16() const {
  return state_->kernels.in_bf16();
}

at::Tensor BlockedConvolution::prepared(const at::Tensor& x) const {
  return state_->kernels.input(x);
}

at::Tensor BlockedConvolution::operator()(const at::Tensor& x, const at::Tensor& weight,
                                          const at::Tensor& bias,
                                          const ConvolutionGeometry& geometry,
                                          const at::Tensor& addend) {
  if (!state_->take(x, weight) || geometry.groups != 1 || geometry.stride.size() != 2 ||
      geometry.padding.size() != 2 || geometry.dilation.size() != 2) {
    return {};
  }
  const std::int64_t surplus = filled(weight.size(0)) - weight.size(0);
  if (surplus > 0 && addend.defined()) {
    return {};
  }
  const std::vector<std::int64_t> size =
      convolved_size(filled_image_size(x), filled_size(weight), geometry);
  if (size[2] < 1 || size[3] < 1) {
    return {};  // LibTorch says why
  }
  if (addend.defined() && (addend.scalar_type() != c10::kFloat || image_size(addend) != size)) {
    return {};
  }
  const at::Tensor added = addend.defined() ? state_->kernels.in_these_blocks(addend) : addend;
  const at::Tensor offsets = filled_bias(bias, weight.size(0));
  const at::Tensor result = state_->compute({x, weight, offsets, geometry, added});
  return surplus > 0 && result.defined() ? from_blocks(result).narrow(1, 0, weight.size(0))
                                         : result;
}

at::Tensor BlockedConvolution::of_upsampled(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias) {
  if (!state_->take(x, weight) || filled(weight.size(0)) != weight.size(0) || weight.size(2) != 3 ||
      weight.size(3) != 3) {
    return {};
  }
  const at::Tensor offsets = filled_bias(bias, weight.size(0));
  return state_->compute({x, weight, offsets, geometry_of_upsampled, at::Tensor(), true});
}

}  // namespace srdiff::cpu
