#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "srdiff/image.h"
#include "srdiff/image_io.h"
#include "srdiff/manifest.h"
#include "srdiff/resize.h"
#include "srdiff/sampler.h"
#include "srdiff/tiling.h"
#include "srdiff/upscale_settings.h"

namespace srdiff {

/// How one picture is made, worked out once from its size, the settings and the model's manifest:
/// its passes through the model with their tiles, its reverse steps and the output's size. Checks,
/// executors, progress and messages read it. It needs no network and no pixel, so that it can be
/// made from a picture's header.
class UpscalePlan {
 public:
  /// One pass of the model. Lengths are pixels of the pass's input.
  struct Pass {
    std::int64_t height;
    std::int64_t width;
    TileGrid grid;  ///< of one tile where the picture goes through the networks in one piece
  };

  /// Of a picture of this low-resolution size, which messages call `name`.
  /// Throws InputError "NAME: …" when a side has no pixel, or the size is above what the model
  /// takes in any of the passes that the output's size needs, or that size is refused: see
  /// UpscaleOptions::width. `settings` are resolve_settings'.
  UpscalePlan(const Manifest& manifest, const UpscaleSettings& settings, std::int64_t height,
              std::int64_t width, const std::string& name = "the input");

  const UpscaleSettings& settings() const { return settings_; }
  /// The input's size.
  std::int64_t height() const { return passes_.front().height; }
  std::int64_t width() const { return passes_.front().width; }
  /// The output's: side · factor, rounded.
  std::int64_t output_height() const { return output_height_; }
  std::int64_t output_width() const { return output_width_; }

  /// At least one. Each takes the output of the one before.
  const std::vector<Pass>& passes() const { return passes_; }
  /// Output side / input side, in lowest terms: the scale to a thousandth, or what gives the wanted
  /// size.
  ResizeRatio factor() const { return factor_; }
  /// The part of the factor that brings the last pass's output to the output's size.
  ResizeRatio ratio() const { return ratio_; }
  /// Whether the output is what the model gives in one pass.
  bool is_one_pass() const { return passes_.size() == 1 && ratio_.up == ratio_.down; }
  /// Over all passes.
  std::int64_t tiles() const;
  /// Whether the picture is cut into tiles in its first pass.
  bool is_tiled() const { return passes_.front().grid.tiles() > 1; }
  /// Says where detail may be invented: `mask` [h,w] of bytes, of the input's size or the output's.
  /// Where it is 0 the output is x_sr, what t = 0 gives, where it is 255 what there is without a
  /// mask, and between them there is less noise. Throws InputError "NAME: …" on another size, and
  /// UsageError on a start from noise, which has no x_sr.
  void set_mask(at::Tensor mask, const std::string& name = "the mask");
  /// Undefined where there is none, or nothing that it could change: at t = 0.
  const at::Tensor& mask() const { return mask_; }
  bool is_masked() const { return mask_.defined(); }

  /// The reverse steps of every pass, over the settings' step grid.
  const std::shared_ptr<const ReverseSteps>& steps() const { return steps_; }

 private:
  UpscaleSettings settings_;
  std::vector<Pass> passes_;
  ResizeRatio factor_;
  ResizeRatio ratio_;
  std::int64_t output_height_ = 0;
  std::int64_t output_width_ = 0;
  std::shared_ptr<const ReverseSteps> steps_;
  at::Tensor mask_;
};

/// A picture as a mask for UpscalePlan::set_mask, its colours by their mean: [h,w] of bytes.
at::Tensor mask_of(const Image& picture);

/// What becomes of a picture: its layout with the output's sides.
ImageLayout output_layout(const UpscalePlan& plan, const Image& image);

}  // namespace srdiff
