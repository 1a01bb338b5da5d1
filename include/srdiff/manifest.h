#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "srdiff/network.h"
#include "srdiff/sampler.h"
#include "srdiff/step_grid.h"
#include "srdiff/tiling.h"

namespace srdiff {

/// What is done to a result so that its colours are the input's.
enum class ColorFix {
  none,
  neutral,      ///< what is neutral in the input stays neutral (neutral_colours.h)
  consistency,  ///< its low frequencies become the input's (back_projection.h)
};

/// "none", "neutral", "consistency". `parse_color_fix` throws UsageError on any other word.
std::string to_string(ColorFix fix);
ColorFix parse_color_fix(const std::string& word);

/// What the denoiser is given beside x_t; clamped to [−1,1].
enum class Condition {
  bicubic,  ///< the input enlarged by antialiased bicubic, as in SR3 (arXiv 2104.07636)
  x_sr,     ///< the regressor's estimate, a function of the same input that leaves less to predict
};

/// "bicubic", "x_sr". `parse_condition` throws UsageError on any other word.
std::string to_string(Condition condition);
Condition parse_condition(const std::string& word);

/// The most guidance that a manifest or a user may ask for.
constexpr double most_guidance = 8.0;

/// The settings that a model's authors recommend.
struct ModelDefaults {
  int t = 300;
  double beta = 0.8;
  SamplerKind sampler = SamplerKind::ddim;
  int nfe = 8;
  double guidance = 1.0;  ///< SamplerOptions::guidance for these t, nfe and sampler
  double eta = 0.0;
  GridSpacing grid = GridSpacing::uniform;
  ColorFix color_fix = ColorFix::none;
};

/// A point of a model's way from x_sr to the most texture that it gives before it looks wrong.
struct DetailPoint {
  double detail = 0.0;  ///< in [0,1]
  int t = 0;
  double beta = 0.0;
  int nfe = 0;
  double guidance = 1.0;
};

/// What `manifest.json` says of a model folder.
struct Manifest {
  std::string name;
  std::string version;
  std::string task;
  std::string description;
  int scale = 0;                       ///< output side / input side
  int native_size = 0;                 ///< output side that the networks were trained at, pixels
  int size_multiple = 1;               ///< input sides are padded to a multiple of this
  std::int64_t max_output_pixels = 0;  ///< width × height; attention is quadratic in it
  /// Tiles that suit the networks: fitted ones have at most the pixels of this square. Empty: the
  /// networks look at the whole picture and take no tiles.
  std::optional<TileSize> tile;
  int T = 0;
  double beta_start = 0.0;
  double beta_end = 0.0;
  Parameterisation parameterisation = Parameterisation::eps;
  Condition condition = Condition::bicubic;
  int weight_map_channels = 1;
  std::optional<NetworkFile> regressor;
  std::optional<NetworkFile> weight_map;
  NetworkFile denoiser;
  ModelDefaults defaults;
  /// By rising detail, the last at 1; at detail 0 t is 0. Empty: nobody has measured such a way.
  std::vector<DetailPoint> detail;
  std::string training_data;
  std::string licence;
  std::string sha256;  ///< of what the manifest says; it names each network by its own

  /// Width × height of the largest input: max_output_pixels / scale².
  std::int64_t max_input_pixels() const;
};

/// The settings at a detail in [0,1]: t, β, evaluations and guidance in between its two neighbours
/// of the curve, which is not empty, t and evaluations rounded. Detail 0 is t = 0 without
/// evaluations, and anything above has at least one step and one evaluation.
DetailPoint point_of_detail(const std::vector<DetailPoint>& curve, double detail);

/// The text of a manifest.json, called `name` in messages. Throws ModelError naming the field at
/// fault.
Manifest parse_manifest(const std::string& text, const std::string& name);

/// parse_manifest of FOLDER/manifest.json. Throws ModelError too when it cannot be read.
Manifest read_manifest(const std::filesystem::path& folder);

}  // namespace srdiff
