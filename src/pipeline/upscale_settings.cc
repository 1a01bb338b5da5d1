#include "srdiff/upscale_settings.h"

#include <algorithm>
#include <cmath>

#include "base/enum_words.h"
#include "base/integer_math.h"
#include "pipeline/settings_json.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/step_grid.h"

namespace srdiff {
namespace {

constexpr EnumWords<Start, 3> start_words = {
    "the start", {{{Start::predicted, "predicted"}, {Start::sr, "sr"}, {Start::noise, "noise"}}}};

void check_settings(const UpscaleSettings& settings, const Manifest& manifest) {
  if (!(settings.beta >= 0.0 && settings.beta <= 1.0)) {
    throw UsageError("beta is outside 0 to 1");
  }
  if (!(settings.eta >= 0.0 && settings.eta <= 1.0)) {
    throw UsageError("eta is outside 0 to 1");
  }
  if (settings.batch && *settings.batch < 1) {
    throw UsageError("batch = " + std::to_string(*settings.batch) + "; give 1 or more");
  }
  if (settings.start == Start::noise && settings.t != manifest.T) {
    throw UsageError("a start from noise is at t = " + std::to_string(manifest.T) +
                     "; leave t out, or choose another start");
  }
  if (settings.sampler == SamplerKind::ddpm && settings.nfe != settings.t) {
    throw UsageError("ddpm visits every step, so nfe must equal t = " + std::to_string(settings.t) +
                     "; leave nfe out, or use ddim or dpmpp");
  }
  if (settings.start != Start::noise && !manifest.regressor) {
    throw ModelError(manifest.name + ": has no regressor; only --start noise runs without one");
  }
  if (settings.weight_map && !manifest.weight_map) {
    throw ModelError(manifest.name + ": has no weight map; use --no-weight-map");
  }
}

TileSize resolve_tile(const UpscaleOptions& options, const Manifest& manifest) {
  if (!manifest.tile) {
    if (options.tile.value_or(0) != 0 || options.tile_overlap) {
      throw UsageError(manifest.name +
                       ": its networks look at the whole picture and take no tiles; leave out "
                       "--tile");
    }
    return {};
  }
  const int multiple = manifest.size_multiple;
  constexpr int largest = 1 << 16;
  TileSize tile;
  tile.size = options.tile.value_or(manifest.tile->size);
  tile.overlap = options.tile_overlap.value_or(std::min(manifest.tile->overlap, tile.size / 2));
  if (tile.size < 0 || tile.size > largest || tile.overlap < 0 || tile.overlap > tile.size / 2) {
    throw UsageError("a tile of " + std::to_string(tile.size) + " pixels with an overlap of " +
                     std::to_string(tile.overlap) +
                     " cannot be cut; an overlap is 0 to half a tile");
  }
  tile.size = static_cast<int>(round_up(tile.size, 2 * std::int64_t{multiple}));
  tile.overlap = static_cast<int>(round_up(tile.overlap, multiple));
  return tile;
}

double resolve_scale(const UpscaleOptions& options, const Manifest& manifest) {
  const double scale = options.scale.value_or(manifest.scale);
  if (!(scale >= 1.0 && scale <= 64.0)) {
    throw UsageError("a scale of " + std::to_string(scale) + " is outside 1 to 64");
  }
  if (manifest.scale == 1 && scale > 1.0) {
    throw UsageError(manifest.name + ": does not enlarge; leave out --scale");
  }
  constexpr double parts = 1000.0;  // what a resize's ratio is made of: see ratio_to_scale
  return std::round(scale * parts) / parts;
}

}  // namespace

std::string to_string(Start start) {
  return start_words.word(start);
}

Start parse_start(const std::string& word) {
  return start_words.parse(word);
}

bool needs_regressor(const UpscaleSettings& settings, const Manifest& manifest) {
  return settings.start != Start::noise || manifest.condition == Condition::x_sr;
}

UpscaleSettings resolve_settings(const UpscaleOptions& options, const Manifest& manifest) {
  const ModelDefaults& defaults = manifest.defaults;
  UpscaleSettings settings;
  settings.start = options.start;
  settings.weight_map = options.weight_map && options.start == Start::predicted;
  settings.t = options.t.value_or(options.start == Start::noise ? manifest.T : defaults.t);
  settings.beta = options.beta.value_or(defaults.beta);
  settings.sampler = options.sampler.value_or(defaults.sampler);
  settings.nfe = options.nfe.value_or(
      settings.sampler == SamplerKind::ddpm ? settings.t : std::min(defaults.nfe, settings.t));
  settings.eta = options.eta.value_or(defaults.eta);
  settings.grid = options.grid.value_or(defaults.grid);
  settings.seed = options.seed;
  settings.color_fix = options.color_fix.value_or(defaults.color_fix);
  settings.scale = resolve_scale(options, manifest);
  settings.tile = resolve_tile(options, manifest);
  settings.batch = options.batch;
  check_settings(settings, manifest);
  check_step_counts(manifest.T, settings.t, settings.nfe);
  return settings;
}

std::string settings_json(const UpscaleSettings& settings) {
  return to_json(settings).dump();
}

std::string made_by(const Manifest& manifest, const UpscaleSettings& settings,
                    c10::ScalarType precision) {
  const nlohmann::ordered_json model = {
      {"name", manifest.name}, {"version", manifest.version}, {"sha256", manifest.sha256}};
  return nlohmann::ordered_json{{"srdiff", SRDIFF_VERSION},
                                {"model", model},
                                {"precision", to_string(precision)},
                                {"settings", to_json(settings)}}
      .dump();
}

}  // namespace srdiff
