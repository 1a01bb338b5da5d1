#include "engine/cpu/rewrite_graph.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/script.h>

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/operators.h"
#include "engine/graph/graph_nodes.h"
#include "engine/graph/simplify_operators.h"

namespace srdiff::cpu {
namespace {

bool is_convolution_to_blocks(const Node* node) {
  return is_one_of(node, {"srdiff::conv2d_to_blocks", "srdiff::conv2d_add_to_blocks"});
}

bool is_norm(const Node* node) {
  return is_one_of(node,
                   {"srdiff::group_norm", "srdiff::group_norm_silu", "srdiff::layer_norm_silu"});
}

/// Puts a norm in the place of `node`, at first one that writes float32.
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
    replace_by_norm(silu, "srdiff::layer_norm_silu",
                    {forth->input(0), norm->input(2), norm->input(3), norm->input(4)});
    return true;
  }
  return false;
}

/// Whether a value is the same tensor in every call, so that its packed form can be kept.
bool is_stored(const Value* value) {
  return is_one_of(value->node(), {"prim::GetAttr", "prim::Constant"});
}

void replace_attention(Node* product) {
  if (const auto found = find_attention(product)) {
    const torch::jit::WithInsertPoint here(product);
    replace(product, "srdiff::attention",
            {found->query, found->key, found->value,
             product->owningGraph()->insertConstant(found->scale)});
  }
}

void replace_operators(Node* node) {
  if (is(node, "aten::silu")) {
    if (!replace_norm_silu(node)) {
      replace(node, "srdiff::silu", node->inputs());
    }
  } else if (is(node, "aten::sigmoid")) {
    replace(node, "srdiff::sigmoid", node->inputs());
  } else if (is(node, "aten::prelu")) {
    replace(node, "srdiff::prelu", node->inputs());
  } else if (is(node, "aten::bmm")) {
    replace_attention(node);
  } else if (is(node, "aten::upsample_nearest2d")) {
    replace_upsample_nearest(node);
  }
}

/// Gives each convolution of a stored weight a state of its own, which belongs to the graph.
void replace_convolution(Node* node, bool in_bf16) {
  if (is(node, "aten::conv2d") && is_stored(node->input(1)) && is_stored(node->input(2)) &&
      node->input(4)->type()->kind() == c10::TypeKind::ListType) {
    const torch::jit::WithInsertPoint here(node);
    std::vector<Value*> inputs = node->inputs().vec();
    inputs.push_back(
        node->owningGraph()->insertConstant(c10::make_intrusive<ConvolutionState>(in_bf16)));
    replace(node, "srdiff::conv2d", inputs);
  }
}

void replace_group_norm(Node* node) {
  if (is(node, "aten::group_norm")) {
    replace_by_norm(
        node, "srdiff::group_norm",
        {node->input(0), node->input(1), node->input(2), node->input(3), node->input(4)});
  }
}

/// The values that may be in blocks when the network runs: results of convolutions, and of
/// operators that keep the layout. A list may hold such values.
class BlockedValues {
 public:
  explicit BlockedValues(Graph& graph) : graph_(graph) {
    std::size_t known = 0;
    do {  // a list may be filled behind its first use in the text
      known = may_be_.size();
      follow(graph.block());
    } while (may_be_.size() != known);
  }

  /// Lets convolutions give blocks, and turns them into plain images for all other operators.
  /// False, and nothing is changed, when blocks might reach a list or a loop that is not
  /// understood.
  bool apply(bool in_bf16) {
    bool understood = true;
    for_each_node(graph_.block(), [&](Node* node) { understood = understood && takes(node); });
    if (!understood) {
      return false;
    }
    for_each_node(graph_.block(), [this](Node* node) { rewrite(node); });
    if (in_bf16) {
      for_each_node(graph_.block(), let_norm_round);
    }
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

  /// Operators whose first input may be in blocks, and whose output then is.
  static bool keeps(const Node* node) {
    return is_norm(node) || is_with_number(node) ||
           is_one_of(node, {"srdiff::upsample_nearest", "srdiff::silu", "srdiff::sigmoid",
                            "srdiff::prelu", "srdiff::channels", "aten::relu", "aten::leaky_relu"});
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
          (inputs && (is_join(node) || is_sum(node) || is_product(node) || is(node, "aten::pop") ||
                      is_list_of_join(node)))) {
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

  static bool changes_in_place(const Node* node) {
    const auto* schema = node->maybeSchema();
    return schema != nullptr && schema->is_mutable();
  }

  /// A plain image is a copy of the blocks, so that other readers would not see changes in it or in
  /// a view of it.
  static bool is_convolved_for_it_alone(const Value* changed) {
    return is(changed->node(), "srdiff::conv2d") && changed->uses().size() == 1;
  }

  /// Whether the node can read blocks, or plain copies of them, with the same result.
  bool takes(const Node* node) const {
    if (is(node, "prim::If") || is_one_of(node, {"aten::append", "aten::pop"}) || is_join(node) ||
        is_list_of_join(node)) {
      return true;
    }
    if (changes_in_place(node)) {
      return is_convolved_for_it_alone(node->input(0));
    }
    // Values that a loop carries from one round to the next are not followed.
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
    if (keeps(node)) {
      return;
    }
    if (is(node, "srdiff::conv2d")) {
      if (const Node* upsampling = upsampling_before(node)) {
        renew(node, "srdiff::conv2d_of_upsampled",
              {upsampling->input(0), node->input(1), node->input(2), node->inputs().back()});
      } else {
        renew(node, "srdiff::conv2d_to_blocks", node->inputs());
      }
    } else if (is_join(node) && may_be(node->input(0))) {
      renew(node, "srdiff::cat_channels", {node->input(0)});
    } else if (is_sum(node) && any_may_be(node->inputs())) {
      if (!join_convolution(node)) {
        renew(node, "srdiff::add", {node->input(0), node->input(1)});
      }
    } else if (is_product(node) && any_may_be(node->inputs())) {
      renew(node, "srdiff::mul", {node->input(0), node->input(1)});
    } else if (is(node, "aten::size") && may_be(node->input(0))) {
      replace_size(node);
    } else if (!is_one_of(node, {"prim::If", "aten::append", "aten::pop", "srdiff::plain",
                                 "prim::dtype", "prim::device"}) &&
               !is_list_of_join(node)) {
      for (std::size_t i = 0; i < node->inputs().size(); ++i) {
        if (may_be(node->inputs()[i])) {
          node->replaceInput(i, plain(node->inputs()[i]));
        }
      }
    }
  }

  /// The upsampling by 2 whose result this convolution reads, and nothing else does, where one
  /// operator can do both; null otherwise.
  static const Node* upsampling_before(const Node* convolution) {
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

  /// Lets the convolution that gives one part of a sum, and has no other use, add the other part
  /// itself. Of two convolutions it is the second, which in a residual block is the smaller.
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

  /// Lets a norm that convolutions alone read write bf16, to which they would round it.
  static void let_norm_round(Node* node) {
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
                 (is_one_of(use.user, {"srdiff::conv2d", "srdiff::conv2d_of_upsampled"}) ||
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

std::set<std::string> rewrite_graph(torch::jit::Module& module, bool in_bf16) {
  const auto graph = inlined_method(module, "forward");
  simplify_operators(*graph, module);
  for_each_node(graph->block(), replace_operators);
  for_each_node(graph->block(), [&](Node* node) { replace_convolution(node, in_bf16); });
  for_each_node(graph->block(), replace_group_norm);
  merge_linears(*graph, module, "srdiff::linear", c10::kFloat);
  // Called on the block, the pass does not analyse aliases: no operator above writes into its
  // inputs.
  torch::jit::EliminateDeadCode(graph->block());
  if (channel_block() > 0) {
    BlockedValues(*graph).apply(in_bf16);
    torch::jit::EliminateDeadCode(graph->block());
  }
  return read_by_convolutions_alone(*graph);
}

}  // namespace srdiff::cpu
