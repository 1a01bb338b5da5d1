#include "engine/cuda/noise_level_encodings.h"

#include <ATen/ATen.h>
#include <torch/script.h>

#include <algorithm>
#include <cstddef>
#include <optional>

namespace srdiff::cuda {
namespace {

/// More than a schedule has steps; a model's own are a few.
constexpr std::size_t most_known_levels = 4096;

/// The level that all of [N] on the CPU are; none where they differ or are on another device.
std::optional<float> only_level(const at::Tensor& levels) {
  if (!levels.is_cpu() || levels.numel() == 0 || levels.scalar_type() != c10::kFloat) {
    return std::nullopt;
  }
  const at::Tensor values = levels.contiguous();
  const auto* first = values.data_ptr<float>();
  const bool same =
      std::all_of(first, first + values.numel(), [&](float level) { return level == *first; });
  return same ? std::optional(*first) : std::nullopt;
}

}  // namespace

at::Tensor levels_on(c10::Device device, const at::Tensor& levels) {
  const auto level = only_level(levels);
  return level ? at::full(levels.sizes(), *level, at::TensorOptions(c10::kFloat).device(device))
               : levels.to(device, c10::kFloat);
}

NoiseLevelEncodings::NoiseLevelEncodings(const torch::jit::Module& module, c10::Device device)
    : module_(module), device_(device) {}

NoiseLevelEncoding NoiseLevelEncodings::operator()(const at::Tensor& levels) {
  const auto level = only_level(levels);
  if (!level) {
    return encode(levels_on(device_, levels));
  }
  auto found = known_.find(*level);
  if (found == known_.end()) {
    if (known_.size() == most_known_levels) {
      known_.clear();
    }
    found = known_.emplace(*level, encode(levels_on(device_, levels.narrow(0, 0, 1)))).first;
  }
  const NoiseLevelEncoding& one = found->second;
  const std::int64_t count = levels.numel();
  return {one.embedding.expand({count, -1}), one.scales.expand({-1, count})};
}

NoiseLevelEncoding NoiseLevelEncodings::encode(const at::Tensor& levels) const {
  const auto results = module_.get_method("encode_noise_level")({levels}).toTuple();
  return {results->elements().at(0).toTensor(), results->elements().at(1).toTensor()};
}

}  // namespace srdiff::cuda
