#include "engine/graph/simplify_operators.h"

#include <torch/script.h>

#include <array>
#include <string>
#include <string_view>

namespace srdiff {
namespace {

/// The weight of a convolution, where it is the same in every call; else undefined.
at::Tensor stored_weight(const Value* value, const torch::jit::Module& module, const Graph& graph) {
  const auto constant = torch::jit::toIValue(value);
  if (constant) {
    return constant->isTensor() ? constant->toTensor() : at::Tensor();
  }
  return stored_tensor(value, module, graph);
}

/// aten::_convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding,
/// groups, …) that is a conv2d.
void replace_traced_convolution(Node* node, const torch::jit::Module& module) {
  constexpr std::size_t least_inputs = 9;
  if (!is(node, "aten::_convolution") || node->inputs().size() < least_inputs) {
    return;
  }
  const auto transposed = torch::jit::toIValue(node->input(6));
  const at::Tensor weight = stored_weight(node->input(1), module, *node->owningGraph());
  if (transposed && transposed->isBool() && !transposed->toBool() && weight.defined() &&
      weight.dim() == 4) {
    replace(node, "aten::conv2d",
            {node->input(0), node->input(1), node->input(2), node->input(3), node->input(4),
             node->input(5), node->input(8)});
    node->destroy();
  }
}

/// Whether the node's result is memory that no other value shares.
bool makes_a_new_tensor(const Node* node) {
  if (is(node, "aten::pixel_shuffle")) {  // by a factor of 1 it may be a view
    const auto factor = constant_number(node->input(1));
    return factor && *factor > 1.0;
  }
  return is_one_of(
      node, {"aten::conv2d", "aten::add", "aten::sub", "aten::mul", "aten::cat", "aten::leaky_relu",
             "aten::prelu", "aten::relu", "aten::silu", "aten::sigmoid"});
}

/// An operator that changes its first input, which nothing else reads, becomes the one that gives a
/// new tensor.
void replace_change_in_place(Node* node) {
  constexpr std::array<std::string_view, 7> kinds = {"add",  "sub",  "mul",    "leaky_relu",
                                                     "relu", "silu", "sigmoid"};
  for (const std::string_view kind : kinds) {
    const std::string operation = "aten::" + std::string(kind);
    if (is(node, (operation + "_").c_str()) && node->input(0)->uses().size() == 1 &&
        makes_a_new_tensor(node->input(0)->node()) &&
        node->input(0)->node()->owningBlock() == node->owningBlock()) {
      replace(node, operation.c_str(), node->inputs());
      node->destroy();
      return;
    }
  }
}

}  // namespace

void simplify_operators(Graph& graph, const torch::jit::Module& module) {
  for_each_node(graph.block(), [&](Node* node) { replace_traced_convolution(node, module); });
  for_each_node(graph.block(), replace_change_in_place);
}

}  // namespace srdiff
