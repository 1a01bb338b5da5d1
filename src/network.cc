#include "srdiff/network.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <sstream>

#include "cpu_graph.h"
#include "cpu_operators.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// LibTorch's messages carry a C++ stack trace; the first line that says something is the reason.
std::string first_line(const std::string& message) {
  std::istringstream lines(message);
  std::string line;
  std::string last;
  while (std::getline(lines, line)) {
    if (line.rfind("Exception raised", 0) == 0) {
      break;
    }
    // An error inside TorchScript ends with "RuntimeError: reason" behind a trace of its own.
    if (last.empty() || line.rfind("RuntimeError:", 0) == 0) {
      last = line;
    }
  }
  return last;
}

}  // namespace

struct Network::State {
  torch::jit::Module module;
  OperatorState operators;
  std::string name;
  c10::Device device = c10::kCPU;
  c10::ScalarType precision = c10::kFloat;
};

Network Network::from_bytes(const std::string& bytes, const std::string& name, c10::Device device,
                            c10::ScalarType precision) {
  auto state = std::make_shared<State>();
  state->name = name;
  state->device = device;
  state->precision = precision;
  try {
    std::istringstream stream(bytes);
    state->module = torch::jit::load(stream, device);
    state->module.eval();
    state->module.to(precision);
    state->module.get_method("forward");
    if (device.is_cpu() && precision == c10::kFloat && at::hasMKLDNN()) {
      optimise_for_cpu(state->module);
    }
  } catch (const std::exception& error) {
    throw ModelError(name + ": not a usable TorchScript network: " + first_line(error.what()));
  }
  Network network;
  network.state_ = std::move(state);
  return network;
}

at::Tensor Network::operator()(const std::vector<at::Tensor>& inputs) const {
  const c10::InferenceMode no_gradients;
  std::vector<c10::IValue> arguments;
  arguments.reserve(inputs.size());
  for (const at::Tensor& input : inputs) {
    // The noise level stays exact: bf16 rounds √ᾱ_t to 1 for every t below 40.
    const bool image = input.dim() == 4;
    arguments.emplace_back(input.to(state_->device, image ? state_->precision : c10::kFloat));
  }
  const OperatorScope operators(state_->operators);
  try {
    // A run is a few calls: the profiling executor would spend the first two on recording.
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    return state_->module.forward(std::move(arguments)).toTensor().to(c10::kFloat);
  } catch (const std::exception& error) {
    throw ModelError(state_->name + ": the network failed: " + first_line(error.what()));
  }
}

}  // namespace srdiff
