#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <set>
#include <string>
#include <utility>

#include "engine/backend_list.h"
#include "engine/cpu/activation_pool.h"
#include "engine/cpu/convolution.h"
#include "engine/cpu/noise.h"
#include "engine/cpu/rewrite_graph.h"

namespace srdiff {
namespace {

/// Whether most of a network's weights are of convolutions that can be computed in blocks of
/// channels.
bool is_for_blocks(const torch::jit::Module& module) {
  std::int64_t all = 0;
  std::int64_t fitting = 0;
  for (const at::Tensor& weight : module.parameters()) {
    if (weight.dim() == 4) {
      all += weight.numel();
      fitting += cpu::fits_blocks(weight) ? weight.numel() : 0;
    }
  }
  return 2 * fitting > all;
}

/// Converts all of a network's floating-point values but the parameters named.
void set_float32(torch::jit::Module& module, const std::set<std::string>& others) {
  const at::NoGradGuard no_gradients;
  for (const auto& parameter : module.named_parameters()) {
    if (others.count(parameter.name) == 0) {
      parameter.value.set_data(parameter.value.to(c10::kFloat));
    }
  }
  for (at::Tensor buffer : module.buffers()) {
    if (buffer.is_floating_point()) {
      buffer.set_data(buffer.to(c10::kFloat));
    }
  }
}

class CpuNetwork final : public DeviceNetwork {
 public:
  CpuNetwork(const torch::jit::Module& module, c10::ScalarType precision,
             cpu::ActivationPool memory)
      : module_(module), precision_(precision), memory_(std::move(memory)) {
    // Convolutions alone: there the time is, and norms and sums keep float32's accuracy.
    const bool convolves_in_bf16 =
        precision_ == c10::kBFloat16 && cpu::has_bf16_convolutions() && is_for_blocks(module_);
    if (convolves_in_bf16) {
      precision_ = c10::kFloat;
    }
    if (precision_ == c10::kFloat && at::hasMKLDNN()) {
      set_float32(module_, cpu::rewrite_graph(module_, convolves_in_bf16));
    } else {
      module_.to(precision_);
    }
  }

  at::Tensor run(const std::vector<at::Tensor>& inputs) override {
    std::vector<c10::IValue> arguments;
    arguments.reserve(inputs.size());
    for (const at::Tensor& input : inputs) {
      // The noise level stays exact: bf16 rounds √ᾱ_t to 1 for every t below 40.
      arguments.emplace_back(input.to(at::kCPU, input.dim() == 4 ? precision_ : c10::kFloat));
    }
    const cpu::ActivationPool::Call memory(memory_);
    return module_.forward(std::move(arguments)).toTensor().to(c10::kFloat);
  }

 private:
  torch::jit::Module module_;
  c10::ScalarType precision_;
  cpu::ActivationPool memory_;
};

class CpuBackend final : public Backend {
 public:
  bool one_image_per_call() const override { return true; }
  bool runs_cpu_kernels() const override { return true; }
  bool computes(c10::ScalarType precision) const override { return precision != c10::kHalf; }
  bool has_fast_bf16() const override { return cpu::has_bf16_convolutions(); }
  CeilingSizes ceiling_sizes() const override { return {2048, std::int64_t{128} << 20}; }

  at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                   std::int64_t width, std::int64_t y0, std::int64_t x0) const override {
    return cpu::noise(keys, step, height, width, y0, x0);
  }

  std::unique_ptr<DeviceNetwork> prepare(const torch::jit::Module& module,
                                         c10::ScalarType precision) const override {
    return std::make_unique<CpuNetwork>(module, precision, memory_);
  }

 private:
  /// Of all networks: they take turns, and those of a model have images of the same sizes.
  cpu::ActivationPool memory_;
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace srdiff
