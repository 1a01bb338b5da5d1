#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/call_memo.h"
#include "pipeline/mask.h"
#include "srdiff/model.h"
#include "srdiff/sampler.h"
#include "srdiff/tiling.h"
#include "srdiff/upscale_plan.h"
#include "srdiff/upscale_settings.h"
#include "srdiff/upscaler.h"

// The method as one list of stages: regressor, weight map, equation (1), evaluations with their
// reverse steps, crop, colour fix. Two executors run the list: whole_image.h each stage once
// over whole images, tiled_image.h row by row over a picture that is cut into tiles. The list knows
// the mathematics; an executor knows windows, blending and memory.

namespace srdiff {

/// An image that stages hand to each other, by its number. All are [N,C,H,W] float32 at the
/// output's resolution over the canvas (tiling.h), except where it is said otherwise.
using Plane = std::size_t;

/// These planes are there from the start: the input [N,3,h,w] in [−1,1] at low resolution; its
/// bicubic enlargement, which bicubic_condition makes of any window when a stage asks for it; and
/// where there is a mask, its rows [1,1,H,W], which MethodStages::mask makes.
///
/// With a mask, x_sr of the whole way is carried beside the picture: the result has 6 channels, the
/// picture's and those of x_sr, and so has the input of a second pass.
inline constexpr Plane lr_plane = 0;
inline constexpr Plane bicubic_plane = 1;
inline constexpr Plane mask_plane = 2;

/// What an observer is told of a plane.
struct PlaneState {
  UpscaleState::Kind kind;
  int t = 0;
  int evaluation = 0;  ///< 1…NFE for x̂_0, else 0
};

/// What a stage works with beside its input planes.
struct StageContext {
  const Model& model;
  RowRange rows;             ///< the output rows of its region, which is as wide as the canvas
  const NoiseSource& noise;  ///< ε of that region
};

/// One step of the method.
class Stage {
 public:
  /// What a pixel of the outputs depends on.
  enum class Reach {
    pixel,   ///< the same pixel of the inputs: any rows can be made by themselves
    rows,    ///< also rows above and below, see reach_in_rows; it works on what Crop leaves
    window,  ///< all of a window, for a network: neighbouring windows are blended
  };

  virtual ~Stage() = default;

  virtual Reach reach() const { return Reach::pixel; }
  /// Low-resolution rows above and below that Reach::rows means.
  virtual std::int64_t reach_in_rows() const { return 0; }
  /// Whether the stage is a call of the denoiser. It counts for NFE, and it alone runs in a reduced
  /// precision, so that its output may overflow (see float32_fallback.h).
  virtual bool is_evaluation() const { return false; }

  /// The inputs' planes over one region → the outputs' planes over it.
  virtual std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs,
                                      const StageContext& context) const = 0;

  std::vector<Plane> inputs;
  std::vector<Plane> outputs;
};

/// The stages of one pass of a model, in the order in which they run.
class MethodStages {
 public:
  /// `memo`, where there is one, remembers what regressor and weight map gave.
  MethodStages(const Manifest& manifest, const UpscalePlan& plan, const UpscalePlan::Pass& pass,
               std::shared_ptr<CallMemo> memo = nullptr);

  std::size_t size() const { return stages_.size(); }
  const Stage& operator[](std::size_t i) const { return *stages_[i]; }

  /// Evaluations of the denoiser.
  int nfe() const { return steps_->nfe(); }

  /// Calls of any network for an image or a tile.
  std::int64_t network_calls() const;

  std::size_t planes() const { return states_.size(); }
  /// Nothing for a plane that no observer is shown.
  const std::optional<PlaneState>& state(Plane plane) const { return states_[plane]; }
  /// The numbers of the stages that read a plane, in order.
  const std::vector<std::size_t>& readers(Plane plane) const { return readers_[plane]; }
  /// The mask over this pass's picture; null where there is none.
  const LaidMask* mask() const { return mask_ ? &*mask_ : nullptr; }
  /// What the last stage gives: [N,3,s·h,s·w] in [−1,1], or with a mask [1,6,s·h,s·w].
  Plane result() const { return stages_.back()->outputs.front(); }

 private:
  Plane add_plane(std::optional<PlaneState> state = std::nullopt);
  template <typename StageType, typename... Arguments>
  void add_stage(std::vector<Plane> inputs, std::vector<Plane> outputs, Arguments&&... arguments);
  Plane add_x_sr(const UpscalePlan& plan, const UpscalePlan::Pass& pass);
  Plane add_start(const UpscaleSettings& settings, Plane x_sr);
  Plane add_reverse_steps(Plane x, Plane condition, Plane x_sr);
  void add_color_fix(ColorFix fix, Plane picture);

  std::shared_ptr<const ReverseSteps> steps_;
  std::shared_ptr<CallMemo> memo_;
  std::optional<LaidMask> mask_;
  Plane kept_ = 0;  ///< with a mask, the x_sr that black keeps
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::optional<PlaneState>> states_;
  std::vector<std::vector<std::size_t>> readers_;
};

/// SR3's condition of a window (in low-resolution pixels) of the canvas: lr [N,3,h,w] enlarged by
/// antialiased bicubic, [N,3,s·rows,s·columns] in [−1,1]. lr is continued by reflection.
at::Tensor bicubic_condition(const at::Tensor& lr, const Window& window, const Window& canvas,
                             std::int64_t scale);

}  // namespace srdiff
