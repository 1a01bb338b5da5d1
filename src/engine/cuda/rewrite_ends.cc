#include "engine/cuda/rewrite_ends.h"

#include <torch/script.h>

#include <optional>
#include <vector>

#include "base/integer_math.h"

namespace srdiff::cuda {
namespace {

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

class Ends {
 public:
  Ends(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision)
      : graph_(graph), module_(module), precision_(precision) {}

  void rewrite() {
    auto nodes = graph_.block()->nodes();
    for (Node* node : std::vector<Node*>(nodes.begin(), nodes.end())) {
      if (is(node, "aten::conv2d") && is_constant(node->input(6), 1)) {
        rewrite_input(node);
        rewrite_output(node);
      }
    }
  }

 private:
  at::Tensor stored(const Value* value) const { return stored_tensor(value, module_, graph_); }

  void rewrite_input(Node* convolution) {
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
    Value* none = graph_.insertConstant(c10::IValue());
    Node* prepared = only_source(images, "srdiff::denoiser_input");
    std::vector<Value*> inputs =
        prepared != nullptr ? prepared->inputs().vec() : std::vector<Value*>{images, none, none};
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

  void rewrite_output(Node* convolution) {
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
    std::vector<Value*> inputs = {convolution->output()};
    Node* finish = only_reader(last->output());
    const bool finishes = finish != nullptr && is(finish, "srdiff::denoiser_output") &&
                          finish->input(0) == last->output();
    last = finishes ? finish : last;
    const torch::jit::WithInsertPoint here(last);
    inputs.push_back(graph_.insertConstant(bias));
    inputs.push_back(graph_.insertConstant(grid));
    Value* none = graph_.insertConstant(c10::IValue());
    for (const std::size_t i : {1U, 2U, 3U}) {
      inputs.push_back(finishes ? finish->input(i) : none);
    }
    replace(last, "srdiff::output_image", inputs);
    const std::int64_t channels = filled_up(weight.size(0));
    set_weight(convolution,
               at::constant_pad_nd(weight, {0, 0, 0, 0, 0, 0, 0, channels - weight.size(0)}));
    const torch::jit::WithInsertPoint before(convolution);
    convolution->replaceInput(2, graph_.insertConstant(c10::IValue()));
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

void rewrite_ends(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision) {
  Ends(graph, module, precision).rewrite();
}

}  // namespace srdiff::cuda
