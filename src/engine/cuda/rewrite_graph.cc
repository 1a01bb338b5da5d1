#include "engine/cuda/rewrite_graph.h"

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/script.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <vector>

#include "engine/cuda/rewrite_ends.h"
#include "engine/cuda/rewrite_upsample_convolution.h"
#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {
namespace {

/// The terms whose sum an image is. The biases of convolutions are terms of their own: cuDNN would
/// add each in a pass of its own.
struct Terms {
  std::vector<Value*> images;
  std::vector<Node*> biased;  ///< convolutions among them that lose their bias
  at::Tensor bias = {};       ///< the sum of theirs, [C] float32
  Value* offset = nullptr;    ///< [N,C]
  Value* joined = nullptr;    ///< whose channels stand behind the sum's

  bool fit() const { return !images.empty() && images.size() <= 2; }
};

/// A group norm, and the SiLU that alone reads it.
struct NormNodes {
  Node* norm;
  Node* silu = nullptr;
  std::int64_t groups = 0;
  double eps = 0.0;
  at::Tensor weight = {};
  at::Tensor bias = {};
};

/// [N,C] of which `value` is the view [N,C,1,1]; null for others.
Value* before_two_sides(const Value* value) {
  Node* outer = only_source(value, "aten::unsqueeze");
  Node* inner = outer != nullptr ? only_source(outer->input(0), "aten::unsqueeze") : nullptr;
  return inner != nullptr && is_constant(outer->input(1), -1) && is_constant(inner->input(1), -1)
             ? inner->input(0)
             : nullptr;
}

/// cat([a, b], 1) whose list has no other use.
Node* list_of_pair(const Node* cat) {
  Node* list = is(cat, "aten::cat") && is_constant(cat->input(1), 1)
                   ? only_source(cat->input(0), "prim::ListConstruct")
                   : nullptr;
  return list != nullptr && list->inputs().size() == 2 ? list : nullptr;
}

/// Puts one operator in the place of all that stands between two convolutions.
class Fusion {
 public:
  Fusion(Graph& graph, const torch::jit::Module& module) : graph_(graph), module_(module) {}

  void apply() {
    const torch::jit::WithInsertPoint first(*graph_.block()->nodes().begin());
    none_ = graph_.insertConstant(c10::IValue());
    auto nodes = graph_.block()->nodes();
    for (Node* node : std::vector<Node*>(nodes.begin(), nodes.end())) {
      if (gone_.count(node) == 0) {
        visit(node);
      }
    }
  }

 private:
  /// In the order of the graph, so that an image is known before the images that it is part of.
  void visit(Node* node) {
    Terms terms;
    if (is(node, "aten::group_norm")) {  // of what is no sum: an image that others made
      if (gone_.count(node) == 0) {
        terms.images = {node->input(0)};
        fuse(node->input(0), terms);
      }
    } else if (Node* list = list_of_pair(node)) {
      if (norm_of(node->output())) {
        take(list->inputs()[0], /*all=*/false, terms);
        terms.joined = list->inputs()[1];
        fuse(node->output(), terms);
      }
    } else if ((is_biased_convolution(node) || is_sum(node)) && !is_part(node->output())) {
      take(node->output(), /*all=*/true, terms);
      fuse(node->output(), terms);
    }
  }

  bool is_biased_convolution(const Node* node) const {
    return is_one_of(node, {"aten::conv2d", "aten::conv_transpose2d"}) &&
           stored(node->input(2)).defined();
  }

  at::Tensor stored(const Value* value) const { return stored_tensor(value, module_, graph_); }

  /// Whether a value is read by a sum alone, or by a join before a norm as the first part.
  bool is_part(const Value* value) const {
    if (value->uses().size() != 1) {
      return false;
    }
    const torch::jit::Use use = value->uses()[0];
    if (use.user->owningBlock() != graph_.block()) {
      return false;
    }
    if (is_sum(use.user)) {
      return true;
    }
    if (!is(use.user, "prim::ListConstruct") || use.offset != 0 ||
        use.user->output()->uses().size() != 1) {
      return false;
    }
    const Node* cat = use.user->output()->uses()[0].user;
    return list_of_pair(cat) != nullptr && norm_of(cat->output()).has_value();
  }

  /// Adds what `value` is the sum of. With `all` it is the sum itself; otherwise it is taken apart
  /// only when nothing else reads it.
  void take(Value* value, bool all, Terms& terms) const {
    Node* node = value->node();
    const bool apart = (all || value->uses().size() == 1) && node->owningBlock() == graph_.block();
    Value* offset = before_two_sides(value);
    if (apart && is_biased_convolution(node)) {
      const at::Tensor bias = stored(node->input(2));
      terms.bias = terms.bias.defined() ? at::add(terms.bias, bias) : bias;
      terms.biased.push_back(node);
      terms.images.push_back(value);
    } else if (apart && is_sum(node)) {
      take(node->input(0), false, terms);
      take(node->input(1), false, terms);
    } else if (offset != nullptr && terms.offset == nullptr) {
      terms.offset = offset;
    } else {
      terms.images.push_back(value);
    }
  }

  /// The first norm of a value whose parameters are known.
  std::optional<NormNodes> norm_of(const Value* value) const {
    for (const torch::jit::Use& use : value->uses()) {
      Node* norm = use.user;
      if (!is(norm, "aten::group_norm") || use.offset != 0 ||
          norm->owningBlock() != graph_.block()) {
        continue;
      }
      const auto groups = torch::jit::toIValue(norm->input(1));
      const auto eps = torch::jit::toIValue(norm->input(4));
      NormNodes found = {norm};
      found.weight = stored(norm->input(2));
      found.bias = stored(norm->input(3));
      if (groups && groups->isInt() && eps && eps->isDouble() && found.weight.defined() &&
          found.bias.defined()) {
        found.groups = groups->toInt();
        found.eps = eps->toDouble();
        found.silu = only_reader(norm, "aten::silu");
        return found;
      }
    }
    return std::nullopt;
  }

  static Node* only_reader(const Node* node, const char* kind) {
    const auto& uses = node->output()->uses();
    return uses.size() == 1 && is(uses[0].user, kind) &&
                   uses[0].user->owningBlock() == node->owningBlock()
               ? uses[0].user
               : nullptr;
  }

  /// The operator that reads `value`, of one kind, in the same block; null where there is none.
  Node* reader(const Value* value, const char* kind) const {
    for (const torch::jit::Use& use : value->uses()) {
      if (is(use.user, kind) && use.user->owningBlock() == graph_.block()) {
        return use.user;
      }
    }
    return nullptr;
  }

  void fuse(Value* value, const Terms& terms) {
    if (!terms.fit()) {
      return;
    }
    // Behind the value's own node: all terms are there, and nothing has read the value yet.
    const bool given = is(value->node(), "prim::Param");
    const torch::jit::WithInsertPoint here((given ? none_->node() : value->node())->next());
    if (const auto norm = norm_of(value)) {
      fuse_norm(value, terms, *norm);
    } else if (terms.joined != nullptr) {
      return;
    } else if (Node* silu = reader(value, "aten::silu")) {
      fuse_silu(value, terms, silu);
    } else if (terms.images.size() > 1 || terms.offset != nullptr || upsampling_of(value)) {
      fuse_sum(value, terms);
    }
  }

  void fuse_norm(Value* value, const Terms& terms, const NormNodes& nodes) {
    Node* fused = create("srdiff::sum_norm", 2);
    fused->outputs()[1]->setType(nodes.norm->output()->type());
    Node* last = nodes.silu != nullptr ? nodes.silu : nodes.norm;
    last->output()->replaceAllUsesWith(fused->outputs()[1]);
    const bool keep = replace_value(value, fused->outputs()[0], nodes.norm, terms);
    std::vector<Value*> inputs = inputs_of(terms);
    inputs.insert(inputs.begin() + 2, terms.joined != nullptr ? terms.joined : none_);
    for (const c10::IValue& constant :
         {c10::IValue(nodes.groups), c10::IValue(nodes.weight), c10::IValue(nodes.bias),
          c10::IValue(nodes.eps), c10::IValue(nodes.silu != nullptr), c10::IValue(keep)}) {
      inputs.push_back(graph_.insertConstant(constant));
    }
    finish(fused, inputs);
    if (nodes.silu != nullptr) {
      destroy(nodes.silu);
    }
    destroy(nodes.norm);
  }

  void fuse_silu(Value* value, const Terms& terms, Node* silu) {
    Node* fused = create("srdiff::sum_silu", 2);
    fused->outputs()[1]->setType(silu->output()->type());
    silu->output()->replaceAllUsesWith(fused->outputs()[1]);
    const bool keep = replace_value(value, fused->outputs()[0], silu, terms);
    std::vector<Value*> inputs = inputs_of(terms);
    inputs.push_back(graph_.insertConstant(keep));
    finish(fused, inputs);
    destroy(silu);
  }

  /// The only use of `value`, when it is an upsampling by 2; else null.
  Node* upsampling_of(const Value* value) const {
    Node* node = value->uses().size() == 1 ? reader(value, "srdiff::upsample_nearest") : nullptr;
    return node != nullptr && is_constant(node->input(1), 2) ? node : nullptr;
  }

  void fuse_sum(Value* value, const Terms& terms) {
    Node* upsampling = upsampling_of(value);
    Node* fused = create("srdiff::sum_upsampled", 1);
    if (upsampling != nullptr) {
      upsampling->output()->replaceAllUsesWith(fused->output());
    } else {
      replace_value(value, fused->output(), nullptr, terms);
    }
    fused->output()->setType(value->type());
    std::vector<Value*> inputs = inputs_of(terms);
    inputs.push_back(graph_.insertConstant(upsampling != nullptr ? 2 : 1));
    finish(fused, inputs);
    if (upsampling != nullptr) {
      destroy(upsampling);
    }
  }

  Node* create(const char* kind, std::size_t outputs) {
    return graph_.create(c10::Symbol::fromQualString(kind), outputs);
  }

  void finish(Node* fused, const std::vector<Value*>& inputs) {
    for (Value* input : inputs) {
      fused->addInput(input);
    }
    graph_.insertNode(fused);
  }

  std::vector<Value*> inputs_of(const Terms& terms) {
    for (Node* convolution : terms.biased) {
      convolution->replaceInput(2, none_);
    }
    return {terms.images[0], terms.images.size() > 1 ? terms.images[1] : none_,
            terms.bias.defined() ? graph_.insertConstant(terms.bias) : none_,
            terms.offset != nullptr ? terms.offset : none_};
  }

  /// Lets all other readers of `value` read `sum` in its place, and returns whether there are any.
  /// An image that is the sum of itself alone stays.
  bool replace_value(Value* value, Value* sum, const Node* reader, const Terms& terms) {
    sum->setType(value->type());
    const bool itself = terms.images.size() == 1 && terms.images[0] == value &&
                        terms.biased.empty() && terms.joined == nullptr;
    const auto& uses = value->uses();
    if (itself || std::all_of(uses.begin(), uses.end(),
                              [&](const torch::jit::Use& use) { return use.user == reader; })) {
      return false;
    }
    value->replaceAllUsesWith(sum);
    return true;
  }

  void destroy(Node* node) {
    gone_.insert(node);
    node->destroy();
  }

  Graph& graph_;
  const torch::jit::Module& module_;
  Value* none_ = nullptr;
  std::unordered_set<const Node*> gone_;  ///< destroyed
};

/// The list whose part `index` a value is: chunk(x, 3, 1)[index].
Node* chunk_of(const Value* value, std::int64_t index) {
  const Node* item = value->node();
  if (!is(item, "aten::__getitem__") || !is_constant(item->input(1), index)) {
    return nullptr;
  }
  Node* chunk = const_cast<Node*>(item)->input(0)->node();
  return is(chunk, "aten::chunk") && is_constant(chunk->input(1), 3) &&
                 is_constant(chunk->input(2), 1)
             ? chunk
             : nullptr;
}

/// Attention whose query, key and value are parts of one image, and whose result is an image.
void fuse_attention(Node* product) {
  const auto found = is(product, "aten::bmm") ? find_attention(product) : std::nullopt;
  if (!found || product->output()->uses().size() != 1) {
    return;
  }
  Node* result = product->output()->uses()[0].user;
  const Node* chunk = chunk_of(found->query, 0);
  const Node* parts = chunk != nullptr ? chunk->input(0)->node() : nullptr;
  if (!is(result, "aten::reshape") || result->owningBlock() != product->owningBlock() ||
      parts == nullptr || !is(parts, "aten::reshape") || chunk_of(found->key, 1) != chunk ||
      chunk_of(found->value, 2) != chunk) {
    return;
  }
  const torch::jit::WithInsertPoint here(result);
  replace(result, "srdiff::attention_of_parts",
          {const_cast<Node*>(parts)->input(0), const_cast<Node*>(parts)->input(1), result->input(1),
           result->owningGraph()->insertConstant(found->scale)});
}

/// Whether every input of the network is converted before anything else is done to it.
bool casts_its_inputs(const Graph& graph) {
  const auto inputs = graph.inputs().slice(1);  // behind the module itself
  return std::all_of(inputs.begin(), inputs.end(), [](const Value* input) {
    return std::all_of(input->uses().begin(), input->uses().end(), [](const torch::jit::Use& use) {
      return is_one_of(use.user, {"aten::to", "aten::size", "srdiff::input_patches"});
    });
  });
}

}  // namespace

bool rewrite_graph(torch::jit::Module& module, const std::string& method,
                   c10::ScalarType precision) {
  const auto graph = inlined_method(module, method);
  for_each_node(graph->block(), replace_upsample_nearest);
  for_each_node(graph->block(), fuse_attention);
  merge_linears(*graph, module, "aten::linear", precision);
  // Called on the block, the pass does not analyse aliases: no operator above writes into its
  // inputs.
  torch::jit::EliminateDeadCode(graph->block());
  rewrite_ends(*graph, module, precision);
  fuse_upsample_convolutions(*graph, module, precision);
  torch::jit::EliminateDeadCode(graph->block());
  Fusion(*graph, module).apply();
  torch::jit::EliminateDeadCode(graph->block());
  return casts_its_inputs(*graph);
}

}  // namespace srdiff::cuda
