#include "engine/cuda/denoiser_methods.h"

#include <torch/script.h>

#include <array>
#include <cstddef>
#include <string>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {
namespace {

struct MethodShape {
  const char* name;
  std::size_t arguments;  ///< without the module itself
};

constexpr std::array<MethodShape, 4> denoiser_methods = {
    {{"encode_noise_level", 1}, {"prepare_input", 3}, {"body", 2}, {"finish_output", 4}}};

/// Puts an operator in the place of a call of one of the module's methods.
void replace_method_call(Node* node) {
  if (!is(node, "prim::CallMethod")) {
    return;
  }
  const std::string& name = node->s(c10::attr::name);
  const char* kind = name == "prepare_input"   ? "srdiff::denoiser_input"
                     : name == "finish_output" ? "srdiff::denoiser_output"
                                               : nullptr;
  if (kind != nullptr) {
    replace(node, kind, node->inputs().slice(1));
    node->destroy();
  }
}

}  // namespace

const char* const evaluation_method = "srdiff_evaluate";

bool has_denoiser_methods(const torch::jit::Module& module) {
  for (const MethodShape& shape : denoiser_methods) {
    const auto method = module.find_method(shape.name);
    if (!method || method->num_inputs() != shape.arguments + 1) {
      return false;
    }
  }
  return true;
}

void define_evaluation(torch::jit::Module& module) {
  module.define(std::string("def ") + evaluation_method +
                R"((self, condition, x_t, embedding, scales):
    found = self.body(self.prepare_input(condition, x_t, scales), embedding)
    return self.finish_output(found, condition, x_t, scales)
)");
  for_each_node(module.get_method(evaluation_method).graph()->block(), replace_method_call);
}

}  // namespace srdiff::cuda
