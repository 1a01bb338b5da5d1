#include "engine/graph/simplify_operators.h"

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <vector>

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
  const bool changes =
      is_one_of(node, {"aten::add_", "aten::sub_", "aten::mul_", "aten::leaky_relu_", "aten::relu_",
                       "aten::silu_", "aten::sigmoid_"});
  if (changes && node->input(0)->uses().size() == 1 && makes_a_new_tensor(node->input(0)->node()) &&
      node->input(0)->node()->owningBlock() == node->owningBlock()) {
    std::string operation = node->kind().toQualString();
    operation.pop_back();  // the underscore
    replace(node, operation.c_str(), node->inputs());
    node->destroy();
  }
}

/// The parts of split(x, sizes, 1), each by an operator of its own.
void replace_split(Node* unpack) {
  if (!is(unpack, "prim::ListUnpack")) {
    return;
  }
  Node* split = unpack->input()->node();
  if (!is_one_of(split, {"aten::split", "aten::split_with_sizes"}) ||
      split->output()->uses().size() != 1 || !is_constant(split->input(2), 1)) {
    return;
  }
  const Node* sizes = split->input(1)->node();
  if (!is(sizes, "prim::ListConstruct") || sizes->inputs().size() != unpack->outputs().size()) {
    return;
  }
  std::vector<std::int64_t> lengths;
  for (const Value* size : sizes->inputs()) {
    const auto length = constant_number(size);
    if (!length) {
      return;
    }
    lengths.push_back(static_cast<std::int64_t>(*length));
  }
  Graph& graph = *unpack->owningGraph();
  const torch::jit::WithInsertPoint here(unpack);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Node* part = graph.insertNode(graph.create(
        c10::Symbol::fromQualString("srdiff::channels"),
        {split->input(0), graph.insertConstant(first), graph.insertConstant(lengths[i])}));
    part->output()->setType(c10::TensorType::get());
    unpack->outputs()[i]->replaceAllUsesWith(part->output());
    first += lengths[i];
  }
  unpack->destroy();
}

}  // namespace

void simplify_operators(Graph& graph, const torch::jit::Module& module) {
  for_each_node(graph.block(), [&](Node* node) { replace_traced_convolution(node, module); });
  for_each_node(graph.block(), replace_change_in_place);
  for_each_node(graph.block(), replace_split);
}

}  // namespace srdiff
