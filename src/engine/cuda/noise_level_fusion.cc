#include "engine/cuda/noise_level_fusion.h"

#include <torch/script.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/cuda/noise_level_program.h"

namespace srdiff::cuda {
namespace {

struct Operation {
  const char* kind;
  NoiseLevelOperator what;
};

constexpr std::array<Operation, 6> of_one = {{{"aten::neg", NoiseLevelOperator::neg},
                                              {"aten::reciprocal", NoiseLevelOperator::reciprocal},
                                              {"aten::rsqrt", NoiseLevelOperator::rsqrt},
                                              {"aten::sqrt", NoiseLevelOperator::sqrt},
                                              {"aten::log", NoiseLevelOperator::log},
                                              {"aten::exp", NoiseLevelOperator::exp}}};

constexpr std::array<Operation, 4> of_two = {{{"aten::add", NoiseLevelOperator::add},
                                              {"aten::sub", NoiseLevelOperator::sub},
                                              {"aten::mul", NoiseLevelOperator::mul},
                                              {"aten::div", NoiseLevelOperator::div}}};

template <std::size_t Count>
std::optional<NoiseLevelOperator> operator_of(const Node* node,
                                              const std::array<Operation, Count>& operations) {
  for (const Operation& operation : operations) {
    if (is(node, operation.kind)) {
      return operation.what;
    }
  }
  return std::nullopt;
}

class LevelFusion {
 public:
  LevelFusion(Graph& graph, const torch::jit::Module& module, Value* level)
      : graph_(graph), module_(module), level_(level) {
    known_[level] = {0, 0};
    for (Node* node : graph.block()->nodes()) {
      if (node->outputs().size() == 1 && understand(node)) {
        members_.insert(node);
      }
    }
  }

  void apply() {
    std::vector<Value*> wanted;
    for (Node* node : graph_.block()->nodes()) {
      Value* value = node->outputs().size() == 1 ? node->output() : nullptr;
      if (value != nullptr && known_.count(value) != 0 && known_[value].index > 0 &&
          is_read_elsewhere(value)) {
        wanted.push_back(value);
        program_.results.push_back(known_[value].index);
      }
    }
    constexpr std::size_t worth_it = 3;
    if ((program_.steps.size() < worth_it && encoding_ == nullptr) ||
        program_.steps.size() > most_noise_level_steps ||
        wanted.size() > most_noise_level_results) {
      return;
    }
    emit(wanted);
  }

 private:
  /// Where a value of the graph is found: the program's value `index`, with `sides` further sides
  /// of 1 behind the images'.
  struct Place {
    int index;
    std::int64_t sides;
  };

  /// Adds what a node computes of known values. False where it is something else.
  bool understand(Node* node) {
    return is_view(node) || is_step(node) || is_clamp(node) || is_encoding(node);
  }

  std::optional<Place> place_of(const Value* value) const {
    const auto found = known_.find(value);
    return found != known_.end() ? std::optional(found->second) : std::nullopt;
  }

  /// A conversion to the float32 that it is, or further sides of 1.
  bool is_view(Node* node) {
    const auto place = node->inputs().empty() ? std::nullopt : place_of(node->input(0));
    if (!place) {
      return false;
    }
    if (is(node, "aten::to") &&
        is_constant(node->input(1), static_cast<std::int64_t>(c10::kFloat))) {
      known_[node->output()] = *place;
    } else if (is(node, "aten::reshape") && is_list(node->input(1), {-1, 1, 1, 1})) {
      known_[node->output()] = {place->index, 3};
    } else if (is(node, "aten::unsqueeze") && is_constant(node->input(1), 1) && place->sides == 0) {
      known_[node->output()] = {place->index, 1};
    } else {
      return false;
    }
    return true;
  }

  void add_step(const Value* result, Place first, const NoiseLevelStep& step) {
    program_.steps.push_back(step);
    known_[result] = {static_cast<int>(program_.steps.size()), first.sides};
  }

  bool is_step(Node* node) {
    const auto first = node->inputs().empty() ? std::nullopt : place_of(node->input(0));
    if (!first) {
      return false;
    }
    if (const auto one = operator_of(node, of_one)) {
      add_step(node->output(), *first, {*one, first->index});
      return true;
    }
    const auto two = operator_of(node, of_two);
    if (!two || node->inputs().size() < 2 ||
        (node->inputs().size() == 3 && !is_constant(node->input(2), 1))) {
      return false;
    }
    NoiseLevelStep step = {*two, first->index};
    if (const auto second = place_of(node->input(1))) {
      step.second = second->index;
      if (second->sides != first->sides) {
        return false;
      }
    } else if (const auto number = constant_number(node->input(1))) {
      step.constant = static_cast<float>(*number);
    } else {
      return false;
    }
    add_step(node->output(), *first, step);
    return true;
  }

  bool is_clamp(Node* node) {
    const auto first = is(node, "aten::clamp") ? place_of(node->input(0)) : std::nullopt;
    if (!first || node->input(1)->type()->kind() == c10::TypeKind::TensorType ||
        node->input(2)->type()->kind() == c10::TypeKind::TensorType) {
      return false;
    }
    Place here = *first;
    for (const std::size_t bound : {1U, 2U}) {
      if (const auto number = constant_number(node->input(bound))) {
        add_step(node->output(), here,
                 {bound == 1 ? NoiseLevelOperator::at_least : NoiseLevelOperator::at_most,
                  here.index, -1, static_cast<float>(*number)});
        here = known_[node->output()];
      }
    }
    known_[node->output()] = here;
    return true;
  }

  /// cat([sin(value · frequencies), cos(value · frequencies)], -1) of a known value [N,1] and
  /// constant frequencies [1,K].
  bool is_encoding(Node* node) {
    Node* list = is(node, "aten::cat") && is_constant(node->input(1), -1) && encoding_ == nullptr
                     ? only_source(node->input(0), "prim::ListConstruct")
                     : nullptr;
    if (list == nullptr || list->inputs().size() != 2) {
      return false;
    }
    const Node* sine = only_source(list->input(0), "aten::sin");
    const Node* cosine = only_source(list->input(1), "aten::cos");
    if (sine == nullptr || cosine == nullptr || sine->input(0) != cosine->input(0)) {
      return false;
    }
    Node* angle = const_cast<Node*>(sine)->input(0)->node();
    const auto value = is(angle, "aten::mul") ? place_of(angle->input(0)) : std::nullopt;
    const auto row = value && value->sides == 1 ? evaluated(angle->input(1)) : std::nullopt;
    if (!row || !row->isTensor() || row->toTensor().dim() != 2 || row->toTensor().size(0) != 1 ||
        row->toTensor().scalar_type() != c10::kFloat) {
      return false;
    }
    program_.encoded = value->index;
    program_.frequencies = row->toTensor()[0].contiguous();
    encoding_ = node->output();
    members_.insert(angle);
    return true;
  }

  /// What a value is in every call, where it depends on no input but on its device.
  std::optional<c10::IValue> evaluated(Value* value) const {
    Node* node = value->node();
    if (auto constant = torch::jit::toIValue(value)) {
      return constant;
    }
    if (is(node, "prim::device")) {
      const auto parameters = module_.parameters();
      return parameters.size() > 0 ? std::optional<c10::IValue>((*parameters.begin()).device())
                                   : std::nullopt;
    }
    if (!is_one_of(node,
                   {"aten::arange", "aten::mul", "aten::div", "aten::exp", "aten::unsqueeze"})) {
      return std::nullopt;
    }
    torch::jit::Stack stack;
    for (Value* input : node->inputs()) {
      const auto part = evaluated(input);
      if (!part) {
        return std::nullopt;
      }
      stack.push_back(*part);
    }
    node->getOperation()(stack);
    return stack.back();
  }

  bool is_read_elsewhere(const Value* value) const {
    const auto& uses = value->uses();
    return std::any_of(uses.begin(), uses.end(), [this](const torch::jit::Use& use) {
      return members_.count(use.user) == 0 && !is(use.user, "prim::device");
    });
  }

  void emit(const std::vector<Value*>& wanted) {
    const torch::jit::WithInsertPoint first(*graph_.block()->nodes().begin());
    std::vector<double> code;
    for (const NoiseLevelStep& step : program_.steps) {
      code.insert(code.end(), {static_cast<double>(step.what), static_cast<double>(step.first),
                               static_cast<double>(step.second), step.constant});
    }
    const std::vector<std::int64_t> results(program_.results.begin(), program_.results.end());
    const std::vector<Value*> inputs = {
        level_, graph_.insertConstant(code), graph_.insertConstant(results),
        graph_.insertConstant(program_.encoded),
        graph_.insertConstant(program_.encoded >= 0 ? c10::IValue(program_.frequencies)
                                                    : c10::IValue())};
    Node* node = graph_.insertNode(
        graph_.create(c10::Symbol::fromQualString("srdiff::noise_level_program"), inputs, 2));
    for (Value* output : node->outputs()) {
      output->setType(c10::TensorType::get());
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      Node* view = graph_.insertNode(
          graph_.create(c10::Symbol::fromQualString("srdiff::level_value"),
                        {node->outputs()[0], graph_.insertConstant(static_cast<std::int64_t>(i)),
                         graph_.insertConstant(known_[wanted[i]].sides)}));
      view->output()->setType(c10::TensorType::get());
      wanted[i]->replaceAllUsesWith(view->output());
    }
    if (encoding_ != nullptr) {
      encoding_->replaceAllUsesWith(node->outputs()[1]);
    }
  }

  Graph& graph_;
  const torch::jit::Module& module_;
  Value* level_;
  Value* encoding_ = nullptr;
  NoiseLevelProgram program_;
  std::unordered_map<const Value*, Place> known_;
  std::unordered_set<const Node*> members_;  ///< that the program takes the place of
};

}  // namespace

void fuse_noise_level(Graph& graph, const torch::jit::Module& module) {
  constexpr std::size_t inputs_of_denoiser = 4;  // with the module itself
  if (graph.inputs().size() == inputs_of_denoiser) {
    LevelFusion(graph, module, graph.inputs().back()).apply();
  }
}

}  // namespace srdiff::cuda
