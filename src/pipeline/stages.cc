#include "pipeline/stages.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "srdiff/back_projection.h"
#include "srdiff/intermediate.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

using Tensors = std::vector<at::Tensor>;

/// A network that depends on the picture alone, not on the noise: its one input → its output.
class ImageNetworkStage : public Stage {
 public:
  using Network = at::Tensor (Model::*)(const at::Tensor&) const;

  ImageNetworkStage(const char* name, Network network, std::shared_ptr<CallMemo> memo)
      : name_(name), network_(network), memo_(std::move(memo)) {}

  Reach reach() const override { return Reach::window; }
  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const auto call = [&] { return (context.model.*network_)(inputs[0]); };
    return {memo_ ? (*memo_)(name_, inputs[0], call) : call()};
  }

 private:
  const char* name_;
  Network network_;
  std::shared_ptr<CallMemo> memo_;
};

/// Equation (1): x_sr and, where it is used, W → x_t.
class IntermediateStateStage : public Stage {
 public:
  IntermediateStateStage(int t, double beta, std::shared_ptr<const ReverseSteps> steps)
      : t_(t), beta_(beta), steps_(std::move(steps)) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const at::Tensor weight_map = inputs.size() > 1 ? inputs[1] : at::Tensor();
    return {intermediate_state(steps_->schedule(), t_, inputs[0], weight_map, beta_,
                               context.noise(t_))};
  }

 private:
  int t_;
  double beta_;
  std::shared_ptr<const ReverseSteps> steps_;
};

/// Nothing → x_T, for a start from noise.
class NoiseStage : public Stage {
 public:
  explicit NoiseStage(int t) : t_(t) {}

  Tensors run(const Tensors& /*inputs*/, const StageContext& context) const override {
    return {context.noise(t_)};
  }

 private:
  int t_;
};

/// The condition and x at a step → the denoiser's raw output there.
class EvaluationStage : public Stage {
 public:
  explicit EvaluationStage(int t) : t_(t) {}

  Reach reach() const override { return Reach::window; }
  bool is_evaluation() const override { return true; }
  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    return {context.model.denoise(inputs[0], inputs[1], t_)};
  }

 private:
  int t_;
};

/// x at step i, the denoiser's output there and, where the sampler reads it, the x̂_0 of the step
/// before → x̂_0 and x at step i + 1.
class ReverseStepStage : public Stage {
 public:
  ReverseStepStage(int i, std::shared_ptr<const ReverseSteps> steps)
      : i_(i), steps_(std::move(steps)) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const at::Tensor x0 = steps_->x0(i_, inputs[0], inputs[1]);
    const at::Tensor previous_x0 = inputs.size() > 2 ? inputs[2] : at::Tensor();
    return {x0, steps_->next(i_, inputs[0], x0, previous_x0, context.noise)};
  }

 private:
  int i_;
  std::shared_ptr<const ReverseSteps> steps_;
};

/// x_0 over the canvas → the picture itself, clipped. Rows below the picture give none.
class CropStage : public Stage {
 public:
  CropStage(std::int64_t height, std::int64_t width) : height_(height), width_(width) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const std::int64_t rows = std::min(context.rows.last, height_) - context.rows.first;
    return {inputs[0]
                .slice(2, 0, std::max<std::int64_t>(rows, 0))
                .slice(3, 0, width_)
                .clamp(-1.0, 1.0)};
  }

 private:
  std::int64_t height_;
  std::int64_t width_;
};

/// The picture and its input lr → the picture with the input's colours and low frequencies.
class BackProjectionStage : public Stage {
 public:
  Reach reach() const override { return Reach::rows; }
  std::int64_t reach_in_rows() const override { return back_projection_reach; }
  Tensors run(const Tensors& inputs, const StageContext& /*context*/) const override {
    return {back_project(inputs[0], inputs[1])};
  }
};

}  // namespace

MethodStages::MethodStages(const Manifest& manifest, const UpscalePlan& plan,
                           const UpscalePlan::Pass& pass, std::shared_ptr<CallMemo> memo)
    : steps_(plan.steps()), memo_(std::move(memo)), states_(2) {
  Plane condition = bicubic_plane;
  const Plane x_t = add_start(manifest, plan.settings(), condition);
  const Plane x_0 = add_reverse_steps(x_t, condition);
  const Plane picture = add_plane();
  add_stage<CropStage>({x_0}, {picture}, pass.height * manifest.scale, pass.width * manifest.scale);
  if (plan.settings().color_fix == ColorFix::consistency) {
    add_stage<BackProjectionStage>({picture, lr_plane}, {add_plane()});
  }
  readers_.resize(states_.size());
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    for (const Plane plane : stages_[i]->inputs) {
      readers_[plane].push_back(i);
    }
  }
}

/// The stages up to x_t, which it returns; at t = 0 that is x_sr. The condition becomes x_sr where
/// the model says so.
Plane MethodStages::add_start(const Manifest& manifest, const UpscaleSettings& settings,
                              Plane& condition) {
  using Kind = UpscaleState::Kind;
  Plane x_sr = 0;
  if (needs_regressor(settings, manifest)) {
    x_sr = add_plane(PlaneState{Kind::x_sr});
    add_stage<ImageNetworkStage>({lr_plane}, {x_sr}, "regressor", &Model::regress, memo_);
    if (manifest.condition == Condition::x_sr) {
      condition = x_sr;
    }
  }
  if (settings.t == 0) {
    return x_sr;
  }
  std::vector<Plane> inputs = {x_sr};
  if (settings.start != Start::noise && settings.weight_map) {
    inputs.push_back(add_plane(PlaneState{Kind::weight_map}));
    add_stage<ImageNetworkStage>({x_sr}, {inputs.back()}, "weight map", &Model::weigh, memo_);
  }
  const Plane x_t = add_plane(PlaneState{Kind::x_t, settings.t});
  if (settings.start == Start::noise) {
    add_stage<NoiseStage>({}, {x_t}, settings.t);
  } else {
    add_stage<IntermediateStateStage>(inputs, {x_t}, settings.t, settings.beta, steps_);
  }
  return x_t;
}

/// The evaluations and their reverse steps from x; returns x_0.
Plane MethodStages::add_reverse_steps(Plane x, Plane condition) {
  Plane previous_x0 = 0;
  for (int i = 0; i < steps_->nfe(); ++i) {
    const Plane output = add_plane();
    add_stage<EvaluationStage>({condition, x}, {output}, steps_->t(i));
    std::vector<Plane> inputs = {x, output};
    if (steps_->reads_previous_x0(i)) {
      inputs.push_back(previous_x0);
    }
    const Plane x0 = add_plane(PlaneState{UpscaleState::Kind::x0, steps_->t(i), i + 1});
    const Plane next = add_plane();
    add_stage<ReverseStepStage>(inputs, {x0, next}, i, steps_);
    x = next;
    previous_x0 = x0;
  }
  return x;
}

Plane MethodStages::add_plane(std::optional<PlaneState> state) {
  states_.push_back(state);
  return states_.size() - 1;
}

template <typename StageType, typename... Arguments>
void MethodStages::add_stage(std::vector<Plane> inputs, std::vector<Plane> outputs,
                             Arguments&&... arguments) {
  stages_.push_back(std::make_unique<StageType>(std::forward<Arguments>(arguments)...));
  stages_.back()->inputs = std::move(inputs);
  stages_.back()->outputs = std::move(outputs);
}

at::Tensor bicubic_condition(const at::Tensor& lr, const Window& window, const Window& canvas,
                             std::int64_t scale) {
  constexpr std::int64_t reach = 4;  // low-resolution pixels around that the enlargement reads
  const std::int64_t above = std::min(window.top, reach);
  const std::int64_t before = std::min(window.left, reach);
  const at::Tensor cut =
      reflected_window(lr, {window.top - above, std::min(window.bottom + reach, canvas.bottom),
                            window.left - before, std::min(window.right + reach, canvas.right)});
  return resize_bicubic(cut, cut.size(2) * scale, cut.size(3) * scale)
      .slice(2, above * scale, (above + window.bottom - window.top) * scale)
      .slice(3, before * scale, (before + window.right - window.left) * scale)
      .clamp(-1.0, 1.0);
}

}  // namespace srdiff
