#include "pipeline/stages.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "srdiff/back_projection.h"
#include "srdiff/intermediate.h"
#include "srdiff/neutral_colours.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

using Tensors = std::vector<at::Tensor>;

/// Colour channels of a picture; the next ones, where there are more, are x_sr's (see lr_plane).
constexpr std::int64_t colours = 3;

at::Tensor picture_of(const at::Tensor& channels) {
  return channels.size(1) == colours ? channels : channels.slice(1, 0, colours).contiguous();
}

at::Tensor x_sr_of(const at::Tensor& channels) {
  return channels.slice(1, colours).contiguous();
}

/// A network that depends on the picture alone, not on the noise: its one input, or the x_sr that
/// is carried beside it → its output.
class ImageNetworkStage : public Stage {
 public:
  using Network = at::Tensor (Model::*)(const at::Tensor&) const;

  ImageNetworkStage(const char* name, Network network, std::shared_ptr<CallMemo> memo,
                    bool of_x_sr = false)
      : name_(name), network_(network), memo_(std::move(memo)), of_x_sr_(of_x_sr) {}

  Reach reach() const override { return Reach::window; }
  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const at::Tensor image = of_x_sr_ ? x_sr_of(inputs[0]) : picture_of(inputs[0]);
    // Not network_ itself: GCC 12's check of vtables takes the closure for this stage.
    const auto call = [&, network = network_] { return (context.model.*network)(image); };
    return {memo_ ? (*memo_)(name_, image, call) : call()};
  }

 private:
  const char* name_;
  Network network_;
  std::shared_ptr<CallMemo> memo_;
  bool of_x_sr_;
};

/// What is under white, what is under black, and the mask → both in one.
class MixStage : public Stage {
 public:
  Tensors run(const Tensors& inputs, const StageContext& /*context*/) const override {
    return {mix(inputs[0], inputs[1], inputs[2])};
  }
};

/// Equation (1): x_sr, the mask where there is one, and W where it is used → x_t.
class IntermediateStateStage : public Stage {
 public:
  IntermediateStateStage(int t, double beta, bool masked, std::shared_ptr<const ReverseSteps> steps)
      : t_(t), beta_(beta), masked_(masked), steps_(std::move(steps)) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const at::Tensor mask = masked_ ? inputs[1] : at::Tensor();
    const std::size_t next = masked_ ? 2 : 1;
    const at::Tensor weight_map = inputs.size() > next ? inputs[next] : at::Tensor();
    return {intermediate_state(steps_->schedule(), t_, inputs[0], weight_map, beta_,
                               context.noise(t_), mask)};
  }

 private:
  int t_;
  double beta_;
  bool masked_;
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

/// x at step i, the denoiser's output there, x_sr where there is a mask or guidance, the mask where
/// there is one, and where the sampler reads it the x̂_0 of the step before → x̂_0 and x at
/// step i + 1.
///
/// Under black x̂_0 is x_sr, so that the steps after it find a picture there that agrees with what
/// they make beside it, and fresh noise comes as equation (1) has it.
class ReverseStepStage : public Stage {
 public:
  ReverseStepStage(int i, bool masked, std::shared_ptr<const ReverseSteps> steps)
      : i_(i), masked_(masked), steps_(std::move(steps)) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    std::size_t next = 2;
    const at::Tensor x_sr = masked_ || steps_->reads_x_sr() ? inputs[next++] : at::Tensor();
    const at::Tensor mask = masked_ ? inputs[next++] : at::Tensor();
    const at::Tensor previous_x0 = inputs.size() > next ? inputs[next] : at::Tensor();
    at::Tensor x0 = steps_->x0(i_, inputs[0], inputs[1], x_sr);
    NoiseSource noise = context.noise;
    if (masked_) {
      x0 = mix(x0, x_sr, mask);
      noise = [&](int t) { return context.noise(t) * mask; };
    }
    return {x0, steps_->next(i_, inputs[0], x0, previous_x0, noise)};
  }

 private:
  int i_;
  bool masked_;
  std::shared_ptr<const ReverseSteps> steps_;
};

/// x_0 over the canvas, and with a mask x_sr → the picture itself, clipped, the channels of x_sr
/// behind its own. Rows below the picture give none.
class CropStage : public Stage {
 public:
  CropStage(std::int64_t height, std::int64_t width) : height_(height), width_(width) {}

  Tensors run(const Tensors& inputs, const StageContext& context) const override {
    const std::int64_t rows = std::min(context.rows.last, height_) - context.rows.first;
    return {(inputs.size() == 1 ? inputs[0] : at::cat(inputs, 1))
                .slice(2, 0, std::max<std::int64_t>(rows, 0))
                .slice(3, 0, width_)
                .clamp(-1.0, 1.0)};
  }

 private:
  std::int64_t height_;
  std::int64_t width_;
};

/// The picture and its input lr → the picture with the input's colours, as far as the fix goes;
/// x_sr behind its channels stays.
class ColorFixStage : public Stage {
 public:
  using Fix = at::Tensor (*)(const at::Tensor& high, const at::Tensor& low);

  ColorFixStage(Fix fix, std::int64_t reach_in_rows) : fix_(fix), reach_in_rows_(reach_in_rows) {}

  Reach reach() const override { return Reach::rows; }
  std::int64_t reach_in_rows() const override { return reach_in_rows_; }
  Tensors run(const Tensors& inputs, const StageContext& /*context*/) const override {
    const at::Tensor fixed = fix_(picture_of(inputs[0]), picture_of(inputs[1]));
    return {inputs[0].size(1) == colours ? fixed : at::cat({fixed, x_sr_of(inputs[0])}, 1)};
  }

 private:
  Fix fix_;
  std::int64_t reach_in_rows_;
};

}  // namespace

MethodStages::MethodStages(const Manifest& manifest, const UpscalePlan& plan,
                           const UpscalePlan::Pass& pass, std::shared_ptr<CallMemo> memo)
    : steps_(plan.steps()), memo_(std::move(memo)), states_(3) {
  const std::int64_t height = pass.height * manifest.scale;
  const std::int64_t width = pass.width * manifest.scale;
  if (plan.is_masked()) {
    mask_.emplace(plan.mask(), height, width);
    states_[mask_plane] = PlaneState{UpscaleState::Kind::mask};
  }
  Plane x_sr = 0;
  if (needs_regressor(plan.settings(), manifest)) {
    x_sr = add_x_sr(plan, pass);
  }
  const Plane condition = manifest.condition == Condition::x_sr ? x_sr : bicubic_plane;
  const Plane x_t = add_start(plan.settings(), x_sr);
  const Plane x_0 = add_reverse_steps(x_t, condition, x_sr);
  const Plane picture = add_plane();
  std::vector<Plane> shown = {x_0};
  if (mask_) {
    shown.push_back(kept_);
  }
  add_stage<CropStage>(shown, {picture}, height, width);
  add_color_fix(plan.settings().color_fix, picture);
  readers_.resize(states_.size());
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    for (const Plane plane : stages_[i]->inputs) {
      readers_[plane].push_back(i);
    }
  }
}

std::int64_t MethodStages::network_calls() const {
  return std::count_if(stages_.begin(), stages_.end(), [](const std::unique_ptr<Stage>& stage) {
    return stage->reach() == Stage::Reach::window;
  });
}

void MethodStages::add_color_fix(ColorFix fix, Plane picture) {
  const auto add = [&](ColorFixStage::Fix work, std::int64_t reach_in_rows) {
    add_stage<ColorFixStage>({picture, lr_plane}, {add_plane()}, work, reach_in_rows);
  };
  switch (fix) {
    case ColorFix::none:
      break;
    case ColorFix::neutral:
      add(&keep_neutral, keep_neutral_reach);
      break;
    case ColorFix::consistency:
      add(&back_project, back_projection_reach);
      break;
  }
}

/// The stages up to x_sr, which it returns.
Plane MethodStages::add_x_sr(const UpscalePlan& plan, const UpscalePlan::Pass& pass) {
  const auto regressor = [this](std::optional<PlaneState> state, bool of_x_sr) {
    const Plane x_sr = add_plane(state);
    add_stage<ImageNetworkStage>({lr_plane}, {x_sr}, "regressor", &Model::regress, memo_, of_x_sr);
    return x_sr;
  };
  const PlaneState state = {UpscaleState::Kind::x_sr};
  if (!mask_ || &pass == &plan.passes().front()) {
    kept_ = regressor(state, false);
    return kept_;
  }
  // What black keeps does not depend on what an earlier pass has invented beside it.
  const Plane of_picture = regressor(std::nullopt, false);
  kept_ = regressor(std::nullopt, true);
  const Plane x_sr = add_plane(state);
  add_stage<MixStage>({of_picture, kept_, mask_plane}, {x_sr});
  return x_sr;
}

/// The stages from x_sr to x_t, which it returns; at t = 0 that is x_sr.
Plane MethodStages::add_start(const UpscaleSettings& settings, Plane x_sr) {
  using Kind = UpscaleState::Kind;
  if (settings.t == 0) {
    return x_sr;
  }
  std::vector<Plane> inputs = {x_sr};
  if (mask_) {
    inputs.push_back(mask_plane);
  }
  if (settings.start != Start::noise && settings.weight_map) {
    inputs.push_back(add_plane(PlaneState{Kind::weight_map}));
    add_stage<ImageNetworkStage>({x_sr}, {inputs.back()}, "weight map", &Model::weigh, memo_);
  }
  const Plane x_t = add_plane(PlaneState{Kind::x_t, settings.t});
  if (settings.start == Start::noise) {
    add_stage<NoiseStage>({}, {x_t}, settings.t);
  } else {
    add_stage<IntermediateStateStage>(inputs, {x_t}, settings.t, settings.beta, mask_.has_value(),
                                      steps_);
  }
  return x_t;
}

/// The evaluations and their reverse steps from x; returns x_0.
Plane MethodStages::add_reverse_steps(Plane x, Plane condition, Plane x_sr) {
  Plane previous_x0 = 0;
  for (int i = 0; i < steps_->nfe(); ++i) {
    const Plane output = add_plane();
    add_stage<EvaluationStage>({condition, x}, {output}, steps_->t(i));
    std::vector<Plane> inputs = {x, output};
    if (mask_ || steps_->reads_x_sr()) {
      inputs.push_back(x_sr);
    }
    if (mask_) {
      inputs.push_back(mask_plane);
    }
    if (steps_->reads_previous_x0(i)) {
      inputs.push_back(previous_x0);
    }
    const Plane x0 = add_plane(PlaneState{UpscaleState::Kind::x0, steps_->t(i), i + 1});
    const Plane next = add_plane();
    add_stage<ReverseStepStage>(inputs, {x0, next}, i, mask_.has_value(), steps_);
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
  const at::Tensor cut = reflected_window(
      picture_of(lr), {window.top - above, std::min(window.bottom + reach, canvas.bottom),
                       window.left - before, std::min(window.right + reach, canvas.right)});
  return resize_bicubic(cut, cut.size(2) * scale, cut.size(3) * scale)
      .slice(2, above * scale, (above + window.bottom - window.top) * scale)
      .slice(3, before * scale, (before + window.right - window.left) * scale)
      .clamp(-1.0, 1.0);
}

}  // namespace srdiff
