#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace srdiff {

// What the passes over a network's graph (engine/cpu/rewrite_graph.h, engine/cuda/rewrite_graph.h)
// share.

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool is(const Node* node, const char* kind);

bool is_one_of(const Node* node, std::initializer_list<const char*> kinds);

/// The node that makes `value`, when it is of that kind and the value has no other use; else null.
Node* only_source(const Value* value, const char* kind);

bool is_constant(const Value* value, std::int64_t expected);

/// Whether a value is the list of these constants.
bool is_list(const Value* value, const std::vector<std::int64_t>& expected);

/// A number that is the same in every call.
std::optional<double> constant_number(const Value* value);

/// Whether a node is the sum of two tensors.
bool is_sum(const Node* node);

/// Whether a node is the product of two tensors.
bool is_product(const Node* node);

/// Whether a node adds a number to a tensor, takes it away, or multiplies or divides by it.
bool is_with_number(const Node* node);

/// Inserts a new node whose output replaces that of `node`, which stays without uses.
Node* replace(Node* node, const char* kind, at::ArrayRef<Value*> inputs);

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

/// The graph of one of a network's methods, which is changed: all that it calls is inlined, with
/// operators in the place of the functions of torch.nn.functional, whose branches would hide them.
std::shared_ptr<Graph> inlined_method(torch::jit::Module& module, const std::string& name);

/// upsample_nearest2d(x, None, [factor, factor]) with a whole factor becomes
/// srdiff::upsample_nearest(x, factor). Other calls of it stay.
void replace_upsample_nearest(Node* node);

/// bmm(value, softmax(bmm(queryᵀ, key)·scale)ᵀ), all [B,C,L].
struct AttentionNodes {
  Value* query;
  Value* key;
  Value* value;
  double scale;
};

/// The inputs of the attention whose last product is `product`; none where it is another product.
std::optional<AttentionNodes> find_attention(const Node* product);

/// Whether a node reads an attribute of the network itself, not of a submodule.
bool is_own_attribute(const Node* node, const Graph& graph);

/// The tensor of the network or of a submodule that `value` always is, in float32; undefined where
/// `value` is something else.
at::Tensor stored_tensor(const Value* value, const torch::jit::Module& module, const Graph& graph);

/// Replaces several linear layers of one input by one, computed by `kind`(x, weight, bias) in
/// `type`. Each residual block has such a layer of the noise level's embedding; they compute so few
/// values that their time is that of the calls.
void merge_linears(Graph& graph, const torch::jit::Module& module, const char* kind,
                   c10::ScalarType type);

}  // namespace srdiff
