#include "cpu_graph.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/script.h>

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "channel_blocks.h"

namespace srdiff {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool is(const Node* node, const char* kind) {
  return node->kind() == c10::Symbol::fromQualString(kind);
}

bool is_one_of(const Node* node, std::initializer_list<const char*> kinds) {
  return std::any_of(kinds.begin(), kinds.end(), [&](const char* kind) { return is(node, kind); });
}

/// The node that makes `value` for this one use, when it is of that kind.
Node* only_source(const Value* value, const char* kind) {
  Node* node = const_cast<Value*>(value)->node();
  return is(node, kind) && value->uses().size() == 1 ? node : nullptr;
}

bool is_constant(const Value* value, std::int64_t expected) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() && constant->toInt() == expected;
}

/// Whether a value is the list of these constants.
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

bool is_convolution_to_blocks(const Node* node) {
  return is_one_of(node, {"srdiff::conv2d_to_blocks", "srdiff::conv2d_add_to_blocks"});
}

bool is_norm(const Node* node) {
  return is_one_of(node,
                   {"srdiff::group_norm", "srdiff::group_norm_silu", "srdiff::pixel_norm_silu"});
}

/// Puts a norm in the place of `node`; what reads it is not known to be products alone.
void replace_by_norm(Node* node, const char* kind, std::vector<Value*> inputs) {
  const torch::jit::WithInsertPoint here(node);
  inputs.push_back(node->owningGraph()->insertConstant(false));
  replace(node, kind, inputs);
}

/// silu(group_norm(x)), or silu of a layer norm over x's channels between two permutations. False
/// where it is of something else.
bool replace_norm_silu(Node* silu) {
  if (const auto* norm = only_source(silu->input(), "aten::group_norm")) {
    replace_by_norm(
        silu, "srdiff::group_norm_silu",
        {norm->input(0), norm->input(1), norm->input(2), norm->input(3), norm->input(4)});
    return true;
  }
  const auto* back = only_source(silu->input(), "aten::permute");
  const auto* norm = back != nullptr ? only_source(back->input(0), "aten::layer_norm") : nullptr;
  const auto* forth = norm != nullptr ? norm->input(0)->node() : nullptr;
  if (forth != nullptr && is(forth, "aten::permute") && is_list(forth->input(1), {0, 2, 3, 1}) &&
      is_list(back->input(1), {0, 3, 1, 2}) && is(norm->input(1)->node(), "prim::ListConstruct") &&
      norm->input(1)->node()->inputs().size() == 1) {
    replace_by_norm(silu, "srdiff::pixel_norm_silu",
                    {forth->input(0), norm->input(2), norm->input(3), norm->input(4)});
    return true;
  }
  return false;
}

/// Whether a value is the same tensor in every call. Packed weights are recognised by their
/// address, which one that is computed anew would share with others.
bool is_stored(const Value* value) {
  return is_one_of(value->node(), {"prim::GetAttr", "prim::Constant"});
}

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

/// A whole number of at least 1, or none.
std::optional<std::int64_t> whole_factor(double factor) {
  const auto whole = static_cast<std::int64_t>(factor);
  return whole >= 1 && static_cast<double>(whole) == factor ? std::optional(whole) : std::nullopt;
}

/// upsample_nearest2d(x, None, [factor, factor]) with a whole factor. Other calls of it stay.
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

template <typename Change>
void for_each_node(Block* block, const Change& change) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) {
      for_each_node(inner, change);
    }
    change(node);
  }
}

/// The matrices that `value` holds turned around for this one use: transpose(x, 1, 2).
Value* turned_around(const Value* value) {
  Node* node = only_source(value, "aten::transpose");
  const bool matrices =
      node != nullptr && is_constant(node->input(1), 1) && is_constant(node->input(2), 2);
  return matrices ? node->input(0) : nullptr;
}

/// A number that is the same in every call.
std::optional<double> constant_number(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && (constant->isDouble() || constant->isInt())
             ? std::optional(constant->toScalar().toDouble())
             : std::nullopt;
}

/// `value` without a conversion to the type of `other`: all images are float32.
Value* before_conversion(Value* value, const Value* other) {
  const Node* node = only_source(value, "aten::to");
  const Node* type = node != nullptr ? node->input(1)->node() : nullptr;
  return type != nullptr && is(type, "prim::dtype") && type->input() == other ? node->input(0)
                                                                              : value;
}

/// bmm(value, softmax(bmm(queryᵀ, key) / √d)ᵀ), with any factor or divisor or none.
void replace_attention(Node* product) {
  Value* weight = turned_around(product->input(1));
  if (weight == nullptr) {
    return;
  }
  const Node* softmax = only_source(before_conversion(weight, product->input(0)), "aten::softmax");
  if (softmax == nullptr ||
      !(is_constant(softmax->input(1), -1) || is_constant(softmax->input(1), 2)) ||
      softmax->input(2)->type()->kind() != c10::TypeKind::NoneType) {
    return;
  }
  Value* scores = softmax->input(0);
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
  if (query != nullptr) {
    const torch::jit::WithInsertPoint here(product);
    replace(
        product, "srdiff::attention",
        {query, first->input(1), product->input(0), product->owningGraph()->insertConstant(scale)});
  }
}

void replace_operators(Node* node) {
  if (is(node, "aten::silu")) {
    if (!replace_norm_silu(node)) {
      replace(node, "srdiff::silu", node->inputs());
    }
  } else if (is(node, "aten::sigmoid")) {
    replace(node, "srdiff::sigmoid", node->inputs());
  } else if (is(node, "aten::bmm")) {
    replace_attention(node);
  } else if (is(node, "aten::upsample_nearest2d")) {
    replace_upsample_nearest(node);
  } else if (is(node, "aten::conv2d") && is_stored(node->input(1)) && is_stored(node->input(2)) &&
             node->input(4)->type()->kind() == c10::TypeKind::ListType) {
    replace(node, "srdiff::conv2d", node->inputs());
  }
}

void replace_group_norm(Node* node) {
  if (is(node, "aten::group_norm")) {
    replace_by_norm(
        node, "srdiff::group_norm",
        {node->input(0), node->input(1), node->input(2), node->input(3), node->input(4)});
  }
}

/// Whether a node reads what belongs to the network itself, no part of it.
bool is_own_attribute(const Node* node, const Graph& graph) {
  return is(node, "prim::GetAttr") && node->input() == graph.inputs()[0];
}

/// The tensor that belongs to the network itself and is all that `value` can be; undefined for
/// others.
at::Tensor own_tensor(const Value* value, const torch::jit::Module& module, const Graph& graph) {
  const Node* node = value->node();
  if (!is_own_attribute(node, graph)) {
    return {};
  }
  const c10::IValue attribute = module.attr(node->s(c10::attr::name));
  return attribute.isTensor() ? attribute.toTensor().detach().to(c10::kFloat) : at::Tensor();
}

/// One product in the place of several linear layers of one input, as each residual block has one
/// of the noise level's embedding: of so few values, what a call costs is the call.
class MergedLinears {
 public:
  MergedLinears(Graph& graph, const torch::jit::Module& module) : graph_(graph), module_(module) {
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
        const Layer layer = {node, own_tensor(node->input(1), module_, graph_),
                             own_tensor(node->input(2), module_, graph_)};
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

  /// In the order of the graph's text, so that the same network gives the same graph.
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
    const auto kind = c10::Symbol::fromQualString("srdiff::linear");
    Node* all = graph_.create(kind, {input, graph_.insertConstant(at::cat(weights)),
                                     graph_.insertConstant(at::cat(biases))});
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
  std::vector<std::pair<Value*, std::vector<Node*>>> by_input_;
};

/// Which values may be in blocks when the network runs: what convolutions give and what comes of
/// that by operators that keep the layout. A list may hold such values.
class Blocks {
 public:
  explicit Blocks(Graph& graph) : graph_(graph) {
    std::size_t known = 0;
    do {  // a list may be filled behind its first use in the text
      known = may_be_.size();
      follow(graph.block());
    } while (may_be_.size() != known);
  }

  /// Lets convolutions give blocks, and turns them into plain images for all other operators.
  /// False, and nothing is changed, when blocks might reach a list or a loop that is not
  /// understood.
  bool apply() {
    bool understood = true;
    for_each_node(graph_.block(), [&](Node* node) { understood = understood && takes(node); });
    if (!understood) {
      return false;
    }
    for_each_node(graph_.block(), [this](Node* node) { rewrite(node); });
    for_each_node(graph_.block(), tell_norm_of_products);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      Value* output = graph_.outputs()[i];
      if (may_be(output)) {
        graph_.return_node()->replaceInput(i, plain(output));
      }
    }
    return true;
  }

 private:
  bool may_be(const Value* value) const { return may_be_.count(value) != 0; }

  bool any_may_be(at::ArrayRef<Value*> values) const {
    return std::any_of(values.begin(), values.end(), [this](Value* v) { return may_be(v); });
  }

  /// cat([…], 1) whose list has no other use.
  static bool is_join(const Node* node) {
    return is(node, "aten::cat") && is_constant(node->input(1), 1) &&
           only_source(node->input(0), "prim::ListConstruct") != nullptr;
  }

  static bool is_list_of_join(const Node* node) {
    return is(node, "prim::ListConstruct") && node->output()->uses().size() == 1 &&
           is_join(node->output()->uses()[0].user);
  }

  static bool is_sum(const Node* node) {
    return is(node, "aten::add") && node->inputs().size() == 3 && is_constant(node->input(2), 1) &&
           node->input(0)->type()->kind() == c10::TypeKind::TensorType &&
           node->input(1)->type()->kind() == c10::TypeKind::TensorType;
  }

  /// Operators whose first input may be in blocks, and whose output then is.
  static bool keeps(const Node* node) {
    return is_norm(node) ||
           is_one_of(node, {"srdiff::upsample_nearest", "srdiff::silu", "aten::relu"});
  }

  static bool is_list(const Value* value) {
    return value->type()->kind() == c10::TypeKind::ListType;
  }

  void follow(Block* block) {
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) {
        follow(inner);
      }
      const bool inputs = any_may_be(node->inputs());
      if (is(node, "srdiff::conv2d") || (keeps(node) && may_be(node->input(0))) ||
          (inputs &&
           (is_join(node) || is_sum(node) || is(node, "aten::pop") || is_list_of_join(node)))) {
        may_be_.insert(node->output());
      } else if (is(node, "aten::append") && may_be(node->input(1))) {
        may_be_.insert(node->input(0));
        may_be_.insert(node->output());  // the same list
      } else if (is(node, "prim::If")) {
        for (std::size_t i = 0; i < node->outputs().size(); ++i) {
          if (may_be(node->blocks()[0]->outputs()[i]) || may_be(node->blocks()[1]->outputs()[i])) {
            may_be_.insert(node->outputs()[i]);
          }
        }
      }
    }
  }

  /// Whether blocks in this node's inputs come to no harm, or can be made plain before it.
  bool takes(const Node* node) const {
    if (is(node, "prim::If") || is_one_of(node, {"aten::append", "aten::pop"}) || is_join(node) ||
        is_list_of_join(node)) {
      return true;
    }
    // What a loop takes from one round to the next is not followed.
    const auto here = [this](const Value* value) { return may_be(value); };
    const auto inputs = node->inputs();
    for (const Block* body : node->blocks()) {
      const auto carried = body->outputs();
      if (std::any_of(inputs.begin(), inputs.end(), here) ||
          std::any_of(carried.begin(), carried.end(), here)) {
        return false;
      }
    }
    return std::none_of(inputs.begin(), inputs.end(),
                        [&](const Value* input) { return here(input) && is_list(input); });
  }

  void rewrite(Node* node) {
    if (is(node, "srdiff::conv2d")) {
      if (const Node* enlargement = enlargement_before(node)) {
        renew(node, "srdiff::conv2d_of_enlarged",
              {enlargement->input(0), node->input(1), node->input(2)});
      } else {
        renew(node, "srdiff::conv2d_to_blocks", node->inputs());
      }
    } else if (is_join(node) && may_be(node->input(0))) {
      renew(node, "srdiff::cat_channels", {node->input(0)});
    } else if (is_sum(node) && any_may_be(node->inputs())) {
      if (!join_convolution(node)) {
        renew(node, "srdiff::add", {node->input(0), node->input(1)});
      }
    } else if (is(node, "aten::size") && may_be(node->input(0))) {
      replace_size(node);
    } else if (!keeps(node) &&
               !is_one_of(node, {"prim::If", "aten::append", "aten::pop", "srdiff::plain"}) &&
               !is_list_of_join(node)) {
      for (std::size_t i = 0; i < node->inputs().size(); ++i) {
        if (may_be(node->inputs()[i])) {
          node->replaceInput(i, plain(node->inputs()[i]));
        }
      }
    }
  }

  /// The enlargement by 2 whose result this convolution reads, and nothing else does, where one
  /// operator can do both; null otherwise.
  static const Node* enlargement_before(const Node* convolution) {
    const Node* before = only_source(convolution->input(0), "srdiff::upsample_nearest");
    const auto steps_of_one = [&](std::size_t input) {
      return srdiff::is_list(convolution->input(input), {1, 1});
    };
    return before != nullptr && is_constant(before->input(1), 2) && steps_of_one(3) &&
                   steps_of_one(4) && steps_of_one(5) && is_constant(convolution->input(6), 1) &&
                   convolution->owningBlock() == before->owningBlock()
               ? before
               : nullptr;
  }

  /// Lets the convolution that gives a sum's one part, and nothing else, add the other itself: of
  /// two the second, which in a residual block is the smaller.
  bool join_convolution(Node* sum) {
    for (const std::size_t part : {1U, 0U}) {
      Node* convolution = only_source(sum->input(part), "srdiff::conv2d_to_blocks");
      if (convolution != nullptr && convolution->owningBlock() == sum->owningBlock()) {
        std::vector<Value*> inputs = convolution->inputs().vec();
        inputs.push_back(sum->input(1 - part));
        renew(sum, "srdiff::conv2d_add_to_blocks", inputs);
        may_be_.erase(convolution->output());
        convolution->destroy();
        return true;
      }
    }
    return false;
  }

  /// All sides of an image, or the one that is asked for.
  static void replace_size(Node* node) {
    Node* size =
        node->owningGraph()->create(c10::Symbol::fromQualString("srdiff::size"), {node->input(0)});
    size->insertBefore(node);
    size->output()->setType(c10::ListType::ofInts());
    if (node->inputs().size() == 1) {
      node->output()->replaceAllUsesWith(size->output());
    } else {
      replace(node, "aten::__getitem__", {size->output(), node->input(1)});
    }
    node->destroy();
  }

  static void tell_norm_of_products(Node* node) {
    if (!is_norm(node)) {
      return;
    }
    const auto& uses = node->output()->uses();
    if (std::all_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) {
          return use.offset == 0 && is_convolution_to_blocks(use.user);
        })) {
      const torch::jit::WithInsertPoint here(node);
      node->replaceInput(node->inputs().size() - 1, node->owningGraph()->insertConstant(true));
    }
  }

  void renew(Node* node, const char* kind, at::ArrayRef<Value*> inputs) {
    const Value* before = node->output();
    Node* other = replace(node, kind, inputs);
    may_be_.erase(before);
    may_be_.insert(other->output());
    const auto found = plain_.find(before);
    if (found != plain_.end()) {
      plain_[other->output()] = found->second;
    }
    node->destroy();
  }

  /// The plain image of a value, made once, where the value is made.
  Value* plain(Value* value) {
    Value*& result = plain_[value];
    if (result == nullptr) {
      Node* node = graph_.create(c10::Symbol::fromQualString("srdiff::plain"), {value});
      node->output()->setType(value->type());
      if (is(value->node(), "prim::Param")) {
        value->node()->owningBlock()->prependNode(node);
      } else {
        node->insertAfter(value->node());
      }
      result = node->output();
    }
    return result;
  }

  Graph& graph_;
  std::set<const Value*> may_be_;
  std::unordered_map<const Value*, Value*> plain_;
};

std::set<std::string> read_by_convolutions_alone(Graph& graph) {
  std::set<std::string> weights;
  std::set<std::string> others;
  for_each_node(graph.block(), [&](const Node* node) {
    if (!is_own_attribute(node, graph)) {
      return;
    }
    const auto& uses = node->output()->uses();
    const bool by_convolutions =
        std::all_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) {
          return use.offset == 1 &&
                 (is_one_of(use.user, {"srdiff::conv2d", "srdiff::conv2d_of_enlarged"}) ||
                  is_convolution_to_blocks(use.user));
        });
    (by_convolutions ? weights : others).insert(node->s(c10::attr::name));
  });
  for (const std::string& name : others) {
    weights.erase(name);
  }
  return weights;
}

}  // namespace

std::set<std::string> optimise_for_cpu(torch::jit::Module& module) {
  for (const torch::jit::Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      for_each_node(method.graph()->block(), replace_calls);
    }
  }
  const auto graph = module.get_method("forward").graph();
  torch::jit::Inline(*graph);
  for_each_node(graph->block(), replace_operators);
  for_each_node(graph->block(), replace_group_norm);
  MergedLinears(*graph, module).apply();
  // Of a block, that is without analysing aliases: no operator above writes into what it reads.
  torch::jit::EliminateDeadCode(graph->block());
  if (channel_block() > 0) {
    Blocks(*graph).apply();
    torch::jit::EliminateDeadCode(graph->block());
  }
  return read_by_convolutions_alone(*graph);
}

}  // namespace srdiff
