#include <ATen/ATen.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "blocked_convolution.h"
#include "channel_blocks.h"
#include "convolution_kernels.h"
#include "direct_convolution.h"
#include "filled_channels.h"

namespace srdiff {

bool has_bf16_convolutions() {
  return false;
}

struct ConvolutionKernels::State {
  /// Filters in the order that direct_convolution reads. Several threads may ask at once.
  class Filters {
   public:
    at::Tensor get(const at::Tensor& weight) {
      const std::lock_guard lock(mutex_);
      at::Tensor& filters = filters_[weight.unsafeGetTensorImpl()];
      if (!filters.defined()) {
        filters = direct_filters(filled_weight(weight, filled_size(weight)));
      }
      return filters;
    }

   private:
    std::mutex mutex_;
    std::unordered_map<const void*, at::Tensor> filters_;
  };

  std::shared_ptr<Filters> filters = std::make_shared<Filters>();
};

ConvolutionKernels::ConvolutionKernels() : ConvolutionKernels(std::make_unique<State>()) {}

ConvolutionKernels ConvolutionKernels::for_another_thread() const {
  auto state = std::make_unique<State>();
  state->filters = state_->filters;
  return ConvolutionKernels(std::move(state));
}

void ConvolutionKernels::use_bf16() {}

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
                                          const at::Tensor& bias, const ConvolutionSteps& steps,
                                          const at::Tensor& addend) {
  const std::vector<std::int64_t> size = filled_size(weight);
  const std::vector<std::int64_t> result = convolved_size(image_size(x), size, steps);
  if (result[2] < 1 || result[3] < 1) {
    return {};
  }
  return direct_convolution(input(x), state_->filters->get(weight), size,
                            bias.defined() ? bias : at::zeros({size[0]}, at::kFloat), steps,
                            addend);
}

at::Tensor ConvolutionKernels::of_enlarged(const at::Tensor& x, const at::Tensor& weight,
                                           const at::Tensor& bias) {
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  return (*this)(repeat_pixels(input(x), 2), weight, bias, {one, one, one}, {});
}

ConvolutionKernels::ConvolutionKernels(std::unique_ptr<State> state) : state_(std::move(state)) {}

ConvolutionKernels::ConvolutionKernels(ConvolutionKernels&&) noexcept = default;

ConvolutionKernels::~ConvolutionKernels() = default;

}  // namespace srdiff
