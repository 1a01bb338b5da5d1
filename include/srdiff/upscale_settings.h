#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "srdiff/manifest.h"
#include "srdiff/model.h"

namespace srdiff {

/// Where the reverse process starts: the three that Ma & Watanabe compare.
enum class Start {
  predicted,  ///< equation (1) with the weight map
  sr,         ///< equation (1) with W = 0
  noise,      ///< x_T ~ N(0, I), t = T: plain SR3, or DDIM from noise
};

/// "predicted", "sr", "noise". `parse_start` throws UsageError on any other word.
std::string to_string(Start start);
Start parse_start(const std::string& word);

/// What a caller asks for. A field that is left empty takes the model's recommendation.
struct UpscaleOptions {
  Start start = Start::predicted;
  bool weight_map = true;  ///< false: W = 0 in equation (1), as Start::sr
  /// t, β, nfe and guidance by the model's curve (Manifest::detail), where they are left empty: 0
  /// is x_sr, 1 the most texture.
  std::optional<double> detail = {};
  std::optional<int> t = {};        ///< steps that remain at the start, 1…T; 0: x_sr alone
  std::optional<double> beta = {};  ///< β of equation (1), in [0,1]
  std::optional<SamplerKind> sampler = {};
  std::optional<int> nfe = {};  ///< denoiser evaluations, 1…t; DDPM: t; at t = 0 none
  /// w of SamplerOptions::guidance, in [0,8]. Empty: what the model recommends for these t, nfe and
  /// sampler, else 1.
  std::optional<double> guidance = {};
  std::optional<double> eta = {};  ///< DDIM's η, in [0,1]
  std::optional<GridSpacing> grid = {};
  std::uint64_t seed = 0;
  std::optional<ColorFix> color_fix = {};
  std::optional<double> scale = {};  ///< output side / input side, 1…64; empty: the model's
  /// In place of the scale, the output's size in pixels, which it gets exactly: a width, a height,
  /// or both to fit within; or its longer side; or 10^6 times its pixels, by the nearest longer
  /// side. The other side follows by the input's aspect, rounded. UpscalePlan refuses a picture
  /// that would become smaller, or more than 64 times as large.
  std::optional<std::int64_t> width = {};
  std::optional<std::int64_t> height = {};
  std::optional<std::int64_t> long_side = {};
  std::optional<double> megapixels = {};
  std::optional<int> tile = {};          ///< low-resolution pixels, 0: no tiles; empty: fitted ones
  std::optional<int> tile_overlap = {};  ///< low-resolution pixels, at most half a tile
  std::optional<int> batch = {};         ///< see UpscaleSettings
};

/// The same with every choice made.
struct UpscaleSettings {
  Start start = Start::predicted;
  bool weight_map = true;
  std::optional<double> detail = {};  ///< where t, β and nfe come from, unless they were given
  int t = 0;
  double beta = 0.0;
  SamplerKind sampler = SamplerKind::ddim;
  int nfe = 0;
  double guidance = 1.0;
  double eta = 0.0;
  GridSpacing grid = GridSpacing::uniform;
  std::uint64_t seed = 0;
  ColorFix color_fix = ColorFix::none;
  /// Output side / input side. One that is not the model's own is reached by as many passes of the
  /// model as it takes to come up to it, and one antialiased bicubic resize.
  double scale = 0.0;
  /// See UpscaleOptions; where any is given, the scale has no say.
  std::optional<std::int64_t> width = {};
  std::optional<std::int64_t> height = {};
  std::optional<std::int64_t> long_side = {};
  std::optional<double> megapixels = {};
  /// Pictures larger than a tile are cut into tiles (tiling.h). Fitted ones are as large as the
  /// manifest says.
  TileSize tile = {};
  /// Images or tiles in one network call on a GPU, where empty takes as many as its free memory
  /// holds, up to the pixels of 64 of the model's native size. On the CPU each is a call of its
  /// own.
  std::optional<int> batch = {};
};

/// Fills in the model's recommendations and checks ranges and contradictions. Without an `nfe`,
/// DDPM takes t and the others the recommended count, at most t. At t = 0 the result is x_sr: there
/// is no evaluation, no weight map and, unless it is asked for, no colour fix. A tile and its
/// overlap are rounded up to the networks' multiple.
/// Throws UsageError; ModelError when the model lacks a network that the start needs.
UpscaleSettings resolve_settings(const UpscaleOptions& options, const Manifest& manifest);

/// The settings as options that depend on no model's recommendation, for golden files: without the
/// scale, the batch and fitted tiles, whose size is the model's alone.
UpscaleOptions settled_options(const UpscaleSettings& settings);

/// Whether a picture made by these needs x_sr: as its start, as the denoiser's condition, or for
/// guidance.
bool needs_regressor(const UpscaleSettings& settings, const Manifest& manifest);

/// The networks that pictures made by these need besides the regressor.
ModelParts needed_parts(const UpscaleSettings& settings);

/// The settings as one line of JSON, without the batch: it changes how fast, not what.
std::string settings_json(const UpscaleSettings& settings);

/// One line of JSON that says how pictures are made: srdiff's version, the model with its hash, the
/// denoiser's precision and the settings. It holds no time and no file name.
std::string made_by(const Manifest& manifest, const UpscaleSettings& settings,
                    c10::ScalarType precision);

}  // namespace srdiff
