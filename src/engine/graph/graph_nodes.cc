#include "engine/graph/graph_nodes.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/script.h>

#include <algorithm>

namespace srdiff {

bool is(const Node* node, const char* kind) {
  return node->kind() == c10::Symbol::fromQualString(kind);
}

bool is_one_of(const Node* node, std::initializer_list<const char*> kinds) {
  return std::any_of(kinds.begin(), kinds.end(), [&](const char* kind) { return is(node, kind); });
}

Node* only_source(const Value* value, const char* kind) {
  Node* node = const_cast<Value*>(value)->node();
  return is(node, kind) && value->uses().size() == 1 ? node : nullptr;
}

bool is_constant(const Value* value, std::int64_t expected) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() && constant->toInt() == expected;
}

bool is_list(const Value* value, const std::vector<std::int64_t>& expected) {
  const auto constant = torch::jit::toIValue(value);
  if (constant) {
    return constant->isIntList() && constant->toIntVector() == expected;
  }
  const auto elements = value->node()->inputs();
  if (!is(value->node(), "prim::ListConstruct") || elements.size() != expected.size()) {
    return false;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!is_constant(elements[i], expected[i])) {
      return false;
    }
  }
  return true;
}

Node* replace(Node* node, const char* kind, at::ArrayRef<Value*> inputs) {
  Node* other = node->owningGraph()->create(c10::Symbol::fromQualString(kind), inputs);
  other->insertBefore(node);
  other->output()->setType(node->output()->type());
  node->output()->replaceAllUsesWith(other->output());
  return other;
}

std::optional<double> constant_number(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && (constant->isDouble() || constant->isInt())
             ? std::optional(constant->toScalar().toDouble())
             : std::nullopt;
}

bool is_sum(const Node* node) {
  return is(node, "aten::add") && node->inputs().size() == 3 && is_constant(node->input(2), 1) &&
         node->input(0)->type()->kind() == c10::TypeKind::TensorType &&
         node->input(1)->type()->kind() == c10::TypeKind::TensorType;
}

bool is_product(const Node* node) {
  return is(node, "aten::mul") && node->input(0)->type()->kind() == c10::TypeKind::TensorType &&
         node->input(1)->type()->kind() == c10::TypeKind::TensorType;
}

bool is_with_number(const Node* node) {
  if (!is_one_of(node, {"aten::add", "aten::sub", "aten::mul", "aten::div"}) ||
      node->inputs().size() > 3 || node->input(0)->type()->kind() != c10::TypeKind::TensorType) {
    return false;
  }
  // torch.jit.trace writes a number as a tensor without dimensions.
  const auto constant = torch::jit::toIValue(node->input(1));
  return constant && (constant->isDouble() || constant->isInt() ||
                      (constant->isTensor() && constant->toTensor().dim() == 0));
}

namespace {

/// A whole number of at least 1, or none.
std::optional<std::int64_t> whole_factor(double factor) {
  const auto whole = static_cast<std::int64_t>(factor);
  return whole >= 1 && static_cast<double>(whole) == factor ? std::optional(whole) : std::nullopt;
}

}  // namespace

void replace_upsample_nearest(Node* node) {
  const auto inputs = node->inputs();
  if (inputs.size() != 3 || !is(inputs[2]->node(), "prim::ListConstruct")) {
    return;
  }
  const auto size = torch::jit::toIValue(inputs[1]);
  const auto factors = inputs[2]->node()->inputs();
  if (!size || !size->isNone() || factors.size() != 2) {
    return;
  }
  const auto vertical = torch::jit::toIValue(factors[0]);
  const auto horizontal = torch::jit::toIValue(factors[1]);
  if (!vertical || !vertical->isDouble() || !horizontal || !horizontal->isDouble() ||
      vertical->toDouble() != horizontal->toDouble()) {
    return;
  }
  if (const auto factor = whole_factor(vertical->toDouble())) {
    const torch::jit::WithInsertPoint here(node);
    replace(node, "srdiff::upsample_nearest",
            {inputs[0], node->owningGraph()->insertConstant(*factor)});
  }
}

namespace {

/// The name of the function that is called.
std::string called(const Node* call) {
  const auto type = call->input(0)->type()->cast<c10::FunctionType>();
  return type && call->outputs().size() == 1 ? type->function()->name() : std::string();
}

/// Puts an operator in the place of a call, which left alone would stay: it may have side effects.
void replace_call(Node* call, const char* kind, at::ArrayRef<Value*> inputs) {
  replace(call, kind, inputs);
  call->destroy();
}

/// A call of torch.nn.functional.interpolate(x, None, factor, "nearest", …) with a whole factor.
/// Inlined it would be a dozen branches on what the constants already say.
void replace_interpolate(Node* call) {
  const auto inputs = call->inputs();
  if (inputs.size() < 5) {
    return;
  }
  const auto size = torch::jit::toIValue(inputs[2]);
  const auto factor = torch::jit::toIValue(inputs[3]);
  const auto mode = torch::jit::toIValue(inputs[4]);
  if (!size || !size->isNone() || !factor || !factor->isDouble() || !mode || !mode->isString() ||
      mode->toStringRef() != "nearest") {
    return;
  }
  if (const auto whole = whole_factor(factor->toDouble())) {
    const torch::jit::WithInsertPoint here(call);
    replace_call(call, "srdiff::upsample_nearest",
                 {inputs[1], call->owningGraph()->insertConstant(*whole)});
  }
}

/// A call of torch.nn.functional.group_norm(x, groups, weight, bias, eps). Inlined it would check
/// in every call, in a loop over the image's sides, that there is more than one value.
void replace_group_norm_call(Node* call) {
  const auto inputs = call->inputs();
  if (inputs.size() == 6) {
    const torch::jit::WithInsertPoint here(call);
    Value* with_cudnn = call->owningGraph()->insertConstant(true);
    replace_call(call, "aten::group_norm",
                 {inputs[1], inputs[2], inputs[3], inputs[4], inputs[5], with_cudnn});
  }
}

/// A call of torch.nn.functional.silu(x, False), whose branch would hide it from the norm before
/// it.
void replace_silu_call(Node* call) {
  const auto inputs = call->inputs();
  if (inputs.size() != 3) {
    return;
  }
  const auto in_place = torch::jit::toIValue(inputs[2]);
  if (in_place && in_place->isBool() && !in_place->toBool()) {
    replace_call(call, "aten::silu", {inputs[1]});
  }
}

void replace_calls(Node* node) {
  if (!is(node, "prim::CallFunction")) {
    return;
  }
  const std::string name = called(node);
  if (name == "interpolate") {
    replace_interpolate(node);
  } else if (name == "group_norm") {
    replace_group_norm_call(node);
  } else if (name == "silu") {
    replace_silu_call(node);
  }
}

}  // namespace

std::shared_ptr<Graph> inlined_method(torch::jit::Module& module, const std::string& name) {
  for (const torch::jit::Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      for_each_node(method.graph()->block(), replace_calls);
    }
  }
  auto graph = module.get_method(name).graph();
  torch::jit::Inline(*graph);
  return graph;
}

namespace {

/// x where `value` is transpose(x, 1, 2) and has no other use; else null.
Value* turned_around(const Value* value) {
  Node* node = only_source(value, "aten::transpose");
  const bool matrices =
      node != nullptr && is_constant(node->input(1), 1) && is_constant(node->input(2), 2);
  return matrices ? node->input(0) : nullptr;
}

/// `value` as it was before a conversion to the type of `other`; `value` itself where there is no
/// such conversion.
const Value* before_conversion(const Value* value, const Value* other) {
  const Node* node = only_source(value, "aten::to");
  const Node* type = node != nullptr ? node->input(1)->node() : nullptr;
  return type != nullptr && is(type, "prim::dtype") && type->input() == other ? node->input(0)
                                                                              : value;
}

}  // namespace

std::optional<AttentionNodes> find_attention(const Node* product) {
  const Value* weight = turned_around(product->input(1));
  if (weight == nullptr) {
    return std::nullopt;
  }
  const Node* softmax = only_source(before_conversion(weight, product->input(0)), "aten::softmax");
  if (softmax == nullptr ||
      !(is_constant(softmax->input(1), -1) || is_constant(softmax->input(1), 2)) ||
      softmax->input(2)->type()->kind() != c10::TypeKind::NoneType) {
    return std::nullopt;
  }
  const Value* scores = softmax->input(0);
  double scale = 1.0;
  for (const char* kind : {"aten::div", "aten::mul"}) {
    const Node* node = only_source(scores, kind);
    const auto number = node != nullptr && node->inputs().size() == 2
                            ? constant_number(node->input(1))
                            : std::nullopt;
    if (number) {
      scale = is(node, "aten::div") ? 1.0 / *number : *number;
      scores = node->input(0);
      break;
    }
  }
  const Node* first = only_source(scores, "aten::bmm");
  Value* query = first != nullptr ? turned_around(first->input(0)) : nullptr;
  return query != nullptr
             ? std::optional(AttentionNodes{query, const_cast<Node*>(first)->input(1),
                                            const_cast<Node*>(product)->input(0), scale})
             : std::nullopt;
}

bool is_own_attribute(const Node* node, const Graph& graph) {
  return is(node, "prim::GetAttr") && node->input() == graph.inputs()[0];
}

at::Tensor stored_tensor(const Value* value, const torch::jit::Module& module, const Graph& graph) {
  std::vector<std::string> names;
  for (; value != graph.inputs()[0]; value = value->node()->input()) {
    if (!is(value->node(), "prim::GetAttr")) {
      return {};
    }
    names.push_back(value->node()->s(c10::attr::name));
  }
  c10::IValue found = module._ivalue();
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!found.isObject()) {
      return {};
    }
    found = found.toObjectRef().getAttr(*name);
  }
  return found.isTensor() ? found.toTensor().detach().to(c10::kFloat) : at::Tensor();
}

namespace {

class MergedLinears {
 public:
  MergedLinears(Graph& graph, const torch::jit::Module& module, const char* kind,
                c10::ScalarType type)
      : graph_(graph), module_(module), kind_(kind), type_(type) {
    for (Node* node : graph.block()->nodes()) {
      if (is(node, "aten::linear")) {
        layers_of(node->input(0)).push_back(node);
      }
    }
  }

  void apply() {
    for (const auto& [input, layers] : by_input_) {
      std::vector<Layer> merged;
      for (Node* node : layers) {
        const Layer layer = {node, stored_tensor(node->input(1), module_, graph_),
                             stored_tensor(node->input(2), module_, graph_)};
        if (layer.weight.defined() && layer.bias.defined() && layer.weight.dim() == 2 &&
            (merged.empty() || layer.weight.size(1) == merged[0].weight.size(1))) {
          merged.push_back(layer);
        }
      }
      if (merged.size() > 1) {
        merge(input, merged);
      }
    }
  }

 private:
  struct Layer {
    Node* node;
    at::Tensor weight;
    at::Tensor bias;
  };

  /// Inputs are kept in the order of the graph, so that the same network gives the same graph.
  std::vector<Node*>& layers_of(Value* input) {
    for (auto& [known, layers] : by_input_) {
      if (known == input) {
        return layers;
      }
    }
    return by_input_.emplace_back(input, std::vector<Node*>()).second;
  }

  void merge(Value* input, const std::vector<Layer>& layers) {
    std::vector<at::Tensor> weights;
    std::vector<at::Tensor> biases;
    for (const Layer& layer : layers) {
      weights.push_back(layer.weight);
      biases.push_back(layer.bias);
    }
    const torch::jit::WithInsertPoint here(layers[0].node);
    Node* all = graph_.create(c10::Symbol::fromQualString(kind_),
                              {input, graph_.insertConstant(at::cat(weights).to(type_)),
                               graph_.insertConstant(at::cat(biases).to(type_))});
    graph_.insertNode(all);
    all->output()->setType(layers[0].node->output()->type());
    Value* last = graph_.insertConstant(-1);
    std::int64_t first = 0;
    for (const Layer& layer : layers) {
      const std::int64_t count = layer.weight.size(0);
      replace(layer.node, "aten::narrow",
              {all->output(), last, graph_.insertConstant(first), graph_.insertConstant(count)});
      first += count;
    }
  }

  Graph& graph_;
  const torch::jit::Module& module_;
  const char* kind_;
  c10::ScalarType type_;
  std::vector<std::pair<Value*, std::vector<Node*>>> by_input_;
};

}  // namespace

void merge_linears(Graph& graph, const torch::jit::Module& module, const char* kind,
                   c10::ScalarType type) {
  MergedLinears(graph, module, kind, type).apply();
}

}  // namespace srdiff
