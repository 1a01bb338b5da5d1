#include "engine/cpu/convolution.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/channel_padding.h"
#include "engine/cpu/convolution_kernel.h"
#include "engine/cpu/convolution_winograd.h"
#include "engine/cpu/packed_weights.h"

namespace srdiff {

bool fits_blocks(const at::Tensor& weight) {
  return channel_block() > 0 && weight.dim() == 4 && filled(weight.size(0)) <= 2 * weight.size(0) &&
         filled(weight.size(1)) <= 2 * weight.size(1);
}

struct BlockedConvolutions::State {
  ConvolutionKernels kernels;
  std::shared_ptr<FiltersOfWeights> transformed = std::make_shared<FiltersOfWeights>();

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

  /// Whether Winograd's algorithm computes this of an image [N,C,H,W], the enlarged one where it is
  /// enlarged first.
  bool by_winograd(at::IntArrayRef image, const at::Tensor& weight, const Steps& steps) const {
    const auto are_one = [](at::IntArrayRef values) {
      return std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == 1; });
    };
    return !kernels.in_bf16() && weight.size(2) == 3 && weight.size(3) == 3 &&
           are_one(steps.stride) && are_one(steps.padding) && are_one(steps.dilation) &&
           suits_winograd({image[0], filled(weight.size(0)), image[2], image[3]}, image[1]);
  }

  /// Its result for x, in blocks; the bias is filled up.
  at::Tensor winograd(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& addend, bool enlarges) {
    return winograd_convolution(kernels.input(x), transformed->get(weight, winograd_filters),
                                {filled(weight.size(0)), bias, addend, enlarges});
  }
};

BlockedConvolutions::BlockedConvolutions() : BlockedConvolutions(std::make_unique<State>()) {}

BlockedConvolutions BlockedConvolutions::for_another_thread() const {
  return BlockedConvolutions(
      std::make_unique<State>(State{state_->kernels.for_another_thread(), state_->transformed}));
}

void BlockedConvolutions::use_bf16() {
  state_->kernels.use_bf16();
}

bool BlockedConvolutions::in_bf16() const {
  return state_->kernels.in_bf16();
}

at::Tensor BlockedConvolutions::prepared(const at::Tensor& x) const {
  return state_->kernels.input(x);
}

at::Tensor BlockedConvolutions::operator()(const at::Tensor& x, const at::Tensor& weight,
                                           const at::Tensor& bias, const Steps& steps,
                                           const at::Tensor& addend) {
  if (!state_->take(x, weight) || steps.groups != 1 || steps.stride.size() != 2 ||
      steps.padding.size() != 2 || steps.dilation.size() != 2) {
    return {};
  }
  const std::int64_t surplus = filled(weight.size(0)) - weight.size(0);
  if (surplus > 0 && addend.defined()) {
    return {};
  }
  const std::vector<std::int64_t> image = filled_image_size(x);
  const std::vector<std::int64_t> size = convolved_size(image, filled_size(weight), steps);
  if (size[2] < 1 || size[3] < 1) {
    return {};  // LibTorch says why
  }
  if (addend.defined() && (addend.scalar_type() != c10::kFloat || image_size(addend) != size)) {
    return {};
  }
  const at::Tensor added = addend.defined() ? state_->kernels.in_these_blocks(addend) : addend;
  const at::Tensor offsets = filled_bias(bias, weight.size(0));
  const at::Tensor result = state_->by_winograd(image, weight, steps)
                                ? state_->winograd(x, weight, offsets, added, /*enlarges=*/false)
                                : state_->kernels(x, weight, offsets, steps, added);
  return surplus > 0 && result.defined() ? from_blocks(result).narrow(1, 0, weight.size(0))
                                         : result;
}

at::Tensor BlockedConvolutions::of_enlarged(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias) {
  if (!state_->take(x, weight) || filled(weight.size(0)) != weight.size(0) || weight.size(2) != 3 ||
      weight.size(3) != 3) {
    return {};
  }
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  const std::vector<std::int64_t> image = filled_image_size(x);
  const at::Tensor offsets = filled_bias(bias, weight.size(0));
  return state_->by_winograd({image[0], image[1], 2 * image[2], 2 * image[3]}, weight,
                             {one, one, one})
             ? state_->winograd(x, weight, offsets, {}, /*enlarges=*/true)
             : state_->kernels.of_enlarged(x, weight, offsets);
}

BlockedConvolutions::BlockedConvolutions(std::unique_ptr<State> state) : state_(std::move(state)) {}

BlockedConvolutions::BlockedConvolutions(BlockedConvolutions&&) noexcept = default;

BlockedConvolutions::~BlockedConvolutions() = default;

}  // namespace srdiff
