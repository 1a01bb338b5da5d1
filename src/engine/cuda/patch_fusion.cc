#include "engine/cuda/patch_fusion.h"

#include <torch/script.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/integer_math.h"

namespace srdiff::cuda {
namespace {

/// x_t / a − base: the residual that a preconditioned denoiser corrects.
struct Residual {
  Value* x_t;
  Value* a;
  Value* base;
};

std::optional<Residual> residual_of(const Value* value) {
  const Node* difference = value->node();
  if (!is(difference, "aten::sub") || difference->inputs().size() != 3 ||
      !is_constant(difference->input(2), 1)) {
    return std::nullopt;
  }
  Node* quotient = const_cast<Node*>(difference)->input(0)->node();
  if (!is(quotient, "aten::div") || quotient->inputs().size() != 2 ||
      quotient->input(1)->type()->kind() != c10::TypeKind::TensorType) {
    return std::nullopt;
  }
  return Residual{quotient->input(0), quotient->input(1), const_cast<Node*>(difference)->input(1)};
}

/// scale·(what `is_factor` knows), in either order; null where it is no such product.
template <typename IsFactor>
Value* scale_of(const Value* product, const IsFactor& is_factor) {
  Node* node = const_cast<Value*>(product)->node();
  if (!is(node, "aten::mul") || node->inputs().size() != 2) {
    return nullptr;
  }
  for (const std::size_t i : {0U, 1U}) {
    if (node->input(i)->type()->kind() == c10::TypeKind::TensorType &&
        is_factor(node->input(1 - i))) {
      return node->input(i);
    }
  }
  return nullptr;
}

/// The node that alone reads a value; null where there are several.
Node* only_reader(const Value* value) {
  return value->uses().size() == 1 ? value->uses()[0].user : nullptr;
}

/// A conversion to a type that is given as such.
bool is_conversion(const Node* node) {
  return is(node, "aten::to") && node->inputs().size() == 5 &&
         node->input(1)->type()->kind() == c10::TypeKind::IntType;
}

std::optional<std::int64_t> constant_int(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isInt() ? std::optional(constant->toInt()) : std::nullopt;
}

/// The number of channels in whole vectors, whatever the type.
std::int64_t filled_up(std::int64_t channels) {
  constexpr std::int64_t vector = 8;
  return round_up(channels, vector);
}

class PatchFusion {
 public:
  PatchFusion(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision)
      : graph_(graph), module_(module), precision_(precision) {}

  void apply() {
    auto nodes = graph_.block()->nodes();
    for (Node* node : std::vector<Node*>(nodes.begin(), nodes.end())) {
      if (is(node, "aten::conv2d") && is_constant(node->input(6), 1)) {
        fuse_input(node);
        fuse_output(node);
      }
    }
  }

 private:
  at::Tensor stored(const Value* value) const { return stored_tensor(value, module_, graph_); }

  void fuse_input(Node* convolution) {
    Node* conversion = only_source(convolution->input(0), "aten::to");
    const at::Tensor weight = stored(convolution->input(1));
    if (conversion == nullptr || !is_conversion(conversion) || !weight.defined()) {
      return;
    }
    Value* images = conversion->input(0);
    std::int64_t grid = 1;
    if (Node* unshuffle = only_source(images, "aten::pixel_unshuffle")) {
      grid = constant_int(unshuffle->input(1)).value_or(0);
      images = unshuffle->input(0);
    }
    if (grid < 1) {
      return;
    }
    const torch::jit::WithInsertPoint here(conversion);
    std::vector<Value*> inputs = parts_of(images);
    const std::int64_t channels = filled_up(weight.size(1));
    inputs.push_back(graph_.insertConstant(grid));
    inputs.push_back(graph_.insertConstant(channels));
    inputs.push_back(conversion->input(1));
    replace(conversion, "srdiff::input_patches", inputs);
    if (channels > weight.size(1)) {
      set_weight(convolution,
                 at::constant_pad_nd(weight, {0, 0, 0, 0, 0, channels - weight.size(1)}));
    }
  }

  /// The first inputs of srdiff::input_patches.
  std::vector<Value*> parts_of(Value* images) {
    Value* none = graph_.insertConstant(c10::IValue());
    const Node* cat = only_source(images, "aten::cat");
    Node* list = cat != nullptr && is_constant(cat->input(1), 1)
                     ? only_source(cat->input(0), "prim::ListConstruct")
                     : nullptr;
    if (list == nullptr || list->inputs().size() != 2) {
      return {images, none, none, none};
    }
    Value* condition = list->input(0);
    std::optional<Residual> residual;
    Value* c_in = scale_of(list->input(1), [&](const Value* factor) {
      residual = residual_of(factor);
      return residual && residual->base == condition;
    });
    return c_in != nullptr ? std::vector<Value*>{condition, residual->x_t, residual->a, c_in}
                           : std::vector<Value*>{condition, list->input(1), none, none};
  }

  void fuse_output(Node* convolution) {
    const at::Tensor weight = stored(convolution->input(1));
    const at::Tensor bias = stored(convolution->input(2));
    Node* last = only_reader(convolution->output());
    if (!weight.defined() || !bias.defined() || last == nullptr || !is_conversion(last) ||
        last->owningBlock() != graph_.block() ||
        !is_constant(last->input(1), static_cast<std::int64_t>(c10::kFloat))) {
      return;
    }
    std::int64_t grid = 1;
    Node* next = only_reader(last->output());
    if (next != nullptr && is(next, "aten::pixel_shuffle") && constant_int(next->input(1))) {
      grid = *constant_int(next->input(1));
      last = next;
    }
    std::vector<Value*> inputs = preconditioning_behind(last);
    const torch::jit::WithInsertPoint here(last);
    if (inputs.empty()) {
      inputs.assign(5, graph_.insertConstant(c10::IValue()));
    }
    const std::vector<Value*> first = {convolution->output(), graph_.insertConstant(bias),
                                       graph_.insertConstant(grid)};
    inputs.insert(inputs.begin(), first.begin(), first.end());
    replace(last, "srdiff::output_image", inputs);
    const std::int64_t channels = filled_up(weight.size(0));
    set_weight(convolution,
               at::constant_pad_nd(weight, {0, 0, 0, 0, 0, 0, 0, channels - weight.size(0)}));
    const torch::jit::WithInsertPoint before(convolution);
    convolution->replaceInput(2, graph_.insertConstant(c10::IValue()));
  }

  /// base, x_t, a, c_skip and c_out of base + c_skip·(x_t / a − base) + c_out·F, where F is what
  /// `last` gives, which then is the sum's node; nothing and unchanged where F is no part of that.
  std::vector<Value*> preconditioning_behind(Node*& last) const {
    const Value* found = last->output();
    Node* product = only_reader(found);
    Value* c_out =
        product != nullptr && product->owningBlock() == graph_.block() && is(product, "aten::mul")
            ? scale_of(product->output(), [&](const Value* f) { return f == found; })
            : nullptr;
    Node* sum = c_out != nullptr ? only_reader(product->output()) : nullptr;
    if (sum == nullptr || !is_sum(sum) || sum->owningBlock() != graph_.block()) {
      return {};
    }
    Value* rest = sum->input(sum->input(0) == product->output() ? 1 : 0);
    const Node* skip = only_source(rest, "aten::add");
    if (skip == nullptr || !is_sum(skip)) {
      return {};
    }
    for (const std::size_t i : {0U, 1U}) {
      Value* base = const_cast<Node*>(skip)->input(i);
      std::optional<Residual> residual;
      Value* c_skip = scale_of(skip->input(1 - i), [&](const Value* factor) {
        residual = residual_of(factor);
        return residual && residual->base == base;
      });
      if (c_skip != nullptr) {
        last = sum;
        return {base, residual->x_t, residual->a, c_skip, c_out};
      }
    }
    return {};
  }

  void set_weight(Node* convolution, const at::Tensor& weight) {
    const torch::jit::WithInsertPoint before(convolution);
    convolution->replaceInput(
        1, graph_.insertConstant(weight.to(precision_).contiguous(at::MemoryFormat::ChannelsLast)));
  }

  Graph& graph_;
  const torch::jit::Module& module_;
  c10::ScalarType precision_;
};

}  // namespace

void fuse_patches(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision) {
  PatchFusion(graph, module, precision).apply();
}

}  // namespace srdiff::cuda
