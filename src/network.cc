#include "srdiff/network.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/library.h>
#include <torch/script.h>

#include <sstream>

#include "norm_silu.h"
#include "packed_convolution.h"
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

/// The packed weights of the network that runs on this thread: operators carry no state.
thread_local PackedConvolutions* packed_convolutions = nullptr;

at::Tensor packed_conv2d(const at::Tensor& x, const at::Tensor& weight,
                         const c10::optional<at::Tensor>& bias, at::IntArrayRef stride,
                         at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups) {
  const at::Tensor b = bias.value_or(at::Tensor());
  return packed_convolutions == nullptr
             ? at::conv2d(x, weight, b, stride, padding, dilation, groups)
             : (*packed_convolutions)(x, weight, b, stride, padding, dilation, groups);
}

TORCH_LIBRARY(srdiff, library) {
  library.def(
      "conv2d(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[2] padding, int[2] "
      "dilation, int groups) -> Tensor");
  library.def(
      "group_norm_silu(Tensor x, int groups, Tensor? weight, Tensor? bias, float eps) -> Tensor");
  library.def("pixel_norm_silu(Tensor x, Tensor? weight, Tensor? bias, float eps) -> Tensor");
}

TORCH_LIBRARY_IMPL(srdiff, CPU, library) {
  library.impl("conv2d", packed_conv2d);
  library.impl("group_norm_silu", group_norm_silu);
  library.impl("pixel_norm_silu", pixel_norm_silu);
}

bool is(const torch::jit::Node* node, const char* kind) {
  return node->kind() == c10::Symbol::fromQualString(kind);
}

/// The node that makes `value` for this one use, when it is of that kind.
torch::jit::Node* only_source(const torch::jit::Value* value, const char* kind) {
  torch::jit::Node* node = const_cast<torch::jit::Value*>(value)->node();
  return is(node, kind) && value->uses().size() == 1 ? node : nullptr;
}

/// Whether a value is the list of these constants.
bool is_list(const torch::jit::Value* value, const std::vector<std::int64_t>& expected) {
  const auto constant = torch::jit::toIValue(value);
  if (constant) {
    return constant->isIntList() && constant->toIntVector() == expected;
  }
  const auto elements = value->node()->inputs();
  if (!is(value->node(), "prim::ListConstruct") || elements.size() != expected.size()) {
    return false;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto element = torch::jit::toIValue(elements[i]);
    if (!element || !element->isInt() || element->toInt() != expected[i]) {
      return false;
    }
  }
  return true;
}

void replace(torch::jit::Node* node, const char* kind, at::ArrayRef<torch::jit::Value*> inputs) {
  torch::jit::Node* other = node->owningGraph()->create(c10::Symbol::fromQualString(kind), inputs);
  other->insertBefore(node);
  other->output()->setType(node->output()->type());
  node->output()->replaceAllUsesWith(other->output());
}

/// silu(group_norm(x)), or silu of a layer norm over x's channels between two permutations.
void replace_norm_silu(torch::jit::Node* silu) {
  if (const auto* norm = only_source(silu->input(), "aten::group_norm")) {
    replace(silu, "srdiff::group_norm_silu",
            {norm->input(0), norm->input(1), norm->input(2), norm->input(3), norm->input(4)});
    return;
  }
  const auto* back = only_source(silu->input(), "aten::permute");
  const auto* norm = back != nullptr ? only_source(back->input(0), "aten::layer_norm") : nullptr;
  const auto* forth = norm != nullptr ? norm->input(0)->node() : nullptr;
  if (forth != nullptr && is(forth, "aten::permute") && is_list(forth->input(1), {0, 2, 3, 1}) &&
      is_list(back->input(1), {0, 3, 1, 2}) && is(norm->input(1)->node(), "prim::ListConstruct") &&
      norm->input(1)->node()->inputs().size() == 1) {
    replace(silu, "srdiff::pixel_norm_silu",
            {forth->input(0), norm->input(2), norm->input(3), norm->input(4)});
  }
}

/// Whether a value is the same tensor in every call. Packed weights are recognised by their
/// address, which one that is computed anew would share with others.
bool is_stored(const torch::jit::Value* value) {
  return is(value->node(), "prim::GetAttr") || is(value->node(), "prim::Constant");
}

/// Puts this file's operators in the place of LibTorch's.
void replace_operators(torch::jit::Block* block) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    torch::jit::Node* node = *it++;
    for (torch::jit::Block* inner : node->blocks()) {
      replace_operators(inner);
    }
    if (is(node, "aten::silu")) {
      replace_norm_silu(node);
    } else if (is(node, "aten::conv2d") && is_stored(node->input(1)) && is_stored(node->input(2)) &&
               node->input(4)->type()->kind() == c10::TypeKind::ListType) {
      replace(node, "srdiff::conv2d", node->inputs());
    }
  }
}

/// The CPU's float32 path. Only `forward` is run, so that its graph can take in all that it calls.
void optimise(torch::jit::Module& module) {
  const auto graph = module.get_method("forward").graph();
  torch::jit::Inline(*graph);
  replace_operators(graph->block());
  torch::jit::EliminateDeadCode(graph);
}

}  // namespace

struct Network::State {
  torch::jit::Module module;
  PackedConvolutions packed;
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
      optimise(state->module);
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
  packed_convolutions = &state_->packed;
  try {
    // A run is a few calls: the profiling executor would spend the first two on recording.
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    return state_->module.forward(std::move(arguments)).toTensor().to(c10::kFloat);
  } catch (const std::exception& error) {
    throw ModelError(state_->name + ": the network failed: " + first_line(error.what()));
  }
}

}  // namespace srdiff
