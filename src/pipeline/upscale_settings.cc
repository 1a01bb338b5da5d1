#include "srdiff/upscale_settings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/enum_words.h"
#include "base/integer_math.h"
#include "pipeline/setting_list.h"
#include "pipeline/settings_json.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/step_grid.h"

namespace srdiff {
namespace {

constexpr EnumWords<Start, 3> start_words = {
    "the start", {{{Start::predicted, "predicted"}, {Start::sr, "sr"}, {Start::noise, "noise"}}}};

/// Refuses values outside the ranges of setting_list.h.
void check_ranges(const UpscaleSettings& settings) {
  UpscaleSettings checked = settings;
  for_each_setting([&checked](const auto& setting) {
    if constexpr (std::is_same_v<decltype(setting.value(checked)), double&>) {
      const double value = setting.value(checked);
      if (setting.range && !(value >= setting.range->low && value <= setting.range->high)) {
        std::ostringstream text;
        text << setting.name << " is outside " << setting.range->low << " to "
             << setting.range->high;
        throw UsageError(text.str());
      }
    }
  });
  const std::array<std::pair<std::optional<std::int64_t>, const char*>, 3> sides = {
      {{settings.width, "width"}, {settings.height, "height"}, {settings.long_side, "long_side"}}};
  for (const auto& [side, what] : sides) {
    constexpr std::int64_t longest = std::int64_t{1} << 30;
    if (side && (*side < 1 || *side > longest)) {
      throw UsageError(std::string(what) + " = " + std::to_string(*side) + "; give 1 to " +
                       std::to_string(longest));
    }
  }
  if (settings.megapixels && !(*settings.megapixels > 0.0 && *settings.megapixels <= 1e12)) {
    throw UsageError("megapixels is no number above 0");
  }
  if (settings.batch && *settings.batch < 1) {
    throw UsageError("batch = " + std::to_string(*settings.batch) + "; give 1 or more");
  }
}

/// Refuses an output's size that is told in more than one way.
void check_one_size(const UpscaleOptions& options) {
  const std::array<std::pair<bool, const char*>, 4> ways = {
      {{options.scale.has_value(), "scale"},
       {options.width || options.height, options.width ? "width" : "height"},
       {options.long_side.has_value(), "long_side"},
       {options.megapixels.has_value(), "megapixels"}}};
  std::vector<std::string> given;
  for (const auto& [is_given, name] : ways) {
    if (is_given) {
      given.emplace_back(name);
    }
  }
  if (given.size() > 1) {
    throw UsageError(given[0] + " and " + given[1] +
                     " both set the output's size; give one of them");
  }
}

/// Refuses settings that contradict each other or need a network that the model lacks.
void check_agreement(const UpscaleSettings& settings, const Manifest& manifest) {
  if (settings.start == Start::noise && settings.t != manifest.T) {
    throw UsageError("a start from noise is at t = " + std::to_string(manifest.T) +
                     "; leave t out, or choose another start");
  }
  if (settings.sampler == SamplerKind::ddpm && settings.nfe != settings.t) {
    throw UsageError("ddpm visits every step, so nfe must equal t = " + std::to_string(settings.t) +
                     "; leave nfe out, or use ddim or dpmpp");
  }
  if (settings.start != Start::noise && !manifest.regressor) {
    throw ModelError(manifest.name + ": has no regressor", ErrorCode::regressor_missing);
  }
  if (settings.guidance != 1.0 && !manifest.regressor) {
    throw UsageError(manifest.name +
                     ": guidance needs a regressor, which it has not; leave it out");
  }
  if (settings.weight_map && !manifest.weight_map) {
    throw ModelError(manifest.name + ": has no weight map", ErrorCode::weight_map_missing);
  }
}

/// Rounds a tile and its overlap up to what the networks' multiple allows.
TileSize rounded_tile(TileSize tile, std::int64_t multiple) {
  constexpr int largest = 1 << 16;
  if (tile.size < 0 || tile.size > largest || tile.overlap < 0 || tile.overlap > tile.size / 2) {
    throw UsageError("a tile of " + std::to_string(tile.size) + " pixels with an overlap of " +
                     std::to_string(tile.overlap) +
                     " cannot be cut; an overlap is 0 to half a tile");
  }
  return {static_cast<int>(round_up(tile.size, 2 * multiple)),
          static_cast<int>(round_up(tile.overlap, multiple)), tile.fitted};
}

[[noreturn]] void refuse_tiles(const Manifest& manifest) {
  throw UsageError(manifest.name + ": its networks look at the whole picture and take no tiles",
                   ErrorCode::tiles_not_taken);
}

}  // namespace

std::string to_string(Start start) {
  return start_words.word(start);
}

Start parse_start(const std::string& word) {
  return start_words.parse(word);
}

template <>
std::vector<std::string> words_of<Start>() {
  return start_words.all();
}

bool needs_regressor(const UpscaleSettings& settings, const Manifest& manifest) {
  return settings.start != Start::noise || manifest.condition == Condition::x_sr ||
         settings.guidance != 1.0;
}

ModelParts needed_parts(const UpscaleSettings& settings) {
  return {.weight_map = settings.weight_map, .denoiser = settings.t > 0};
}

std::optional<double> wanted_detail(const UpscaleOptions& options, const Manifest& manifest) {
  if (!options.detail) {
    return std::nullopt;
  }
  if (!(*options.detail >= 0.0 && *options.detail <= 1.0)) {
    throw UsageError("detail is outside 0 to 1");
  }
  if (manifest.detail.empty()) {
    throw UsageError(manifest.name + ": has no curve for detail", ErrorCode::detail_curve_missing);
  }
  if (options.start == Start::noise) {
    throw UsageError("a start from noise has no detail; leave detail out, or choose another start");
  }
  return options.detail;
}

int wanted_t(const UpscaleOptions& options, const Manifest& manifest) {
  if (options.t) {
    return *options.t;
  }
  const std::optional<double> detail = wanted_detail(options, manifest);
  return detail                          ? point_of_detail(manifest.detail, *detail).t
         : options.start == Start::noise ? manifest.T
                                         : manifest.defaults.t;
}

double wanted_beta(const UpscaleOptions& options, const Manifest& manifest) {
  if (options.beta) {
    return *options.beta;
  }
  const std::optional<double> detail = wanted_detail(options, manifest);
  return detail ? point_of_detail(manifest.detail, *detail).beta : manifest.defaults.beta;
}

int wanted_nfe(const UpscaleOptions& options, int t, SamplerKind sampler,
               const Manifest& manifest) {
  if (options.nfe) {
    return *options.nfe;
  }
  if (sampler == SamplerKind::ddpm || t < 1) {
    return t;
  }
  const std::optional<double> detail = wanted_detail(options, manifest);
  const int nfe = detail ? point_of_detail(manifest.detail, *detail).nfe : manifest.defaults.nfe;
  return std::clamp(nfe, 1, t);
}

double wanted_guidance(const UpscaleOptions& options, const UpscaleSettings& before,
                       const Manifest& manifest) {
  if (options.guidance) {
    return *options.guidance;
  }
  const ModelDefaults& defaults = manifest.defaults;
  const std::optional<double> detail = wanted_detail(options, manifest);
  const DetailPoint recommended =
      detail ? point_of_detail(manifest.detail, *detail)
             : DetailPoint{0.0, defaults.t, defaults.beta, defaults.nfe, defaults.guidance};
  const bool is_recommended = options.start != Start::noise && before.t > 0 &&
                              before.t == recommended.t && before.nfe == recommended.nfe &&
                              before.sampler == defaults.sampler;
  return is_recommended ? recommended.guidance : 1.0;
}

int wanted_tile(const UpscaleOptions& options, const Manifest& manifest) {
  if (!manifest.tile && options.tile.value_or(0) != 0) {
    refuse_tiles(manifest);
  }
  return options.tile.value_or(manifest.tile ? manifest.tile->size : 0);
}

int wanted_overlap(const UpscaleOptions& options, int tile, const Manifest& manifest) {
  if (!manifest.tile && options.tile_overlap) {
    refuse_tiles(manifest);
  }
  return options.tile_overlap.value_or(manifest.tile ? std::min(manifest.tile->overlap, tile / 2)
                                                     : 0);
}

double settle_scale(const UpscaleOptions& options, const Manifest& manifest) {
  const double scale = options.scale.value_or(manifest.scale);
  if (!(scale >= 1.0 && scale <= 64.0)) {
    throw UsageError("a scale of " + std::to_string(scale) + " is outside 1 to 64");
  }
  if (manifest.scale == 1 && scale > 1.0) {
    throw UsageError(manifest.name + ": does not enlarge", ErrorCode::model_does_not_enlarge);
  }
  constexpr double parts = 1000.0;  // what a resize's ratio is made of: see output_size.h
  return std::round(scale * parts) / parts;
}

UpscaleSettings resolve_settings(const UpscaleOptions& options, const Manifest& manifest) {
  check_one_size(options);
  UpscaleSettings settings;
  for_each_setting([&](const auto& setting) {
    setting.value(settings) = setting.settle(options, settings, manifest);
  });
  settings.tile.fitted = !options.tile && settings.tile.size > 0;
  settings.tile = rounded_tile(settings.tile, manifest.size_multiple);
  check_ranges(settings);
  check_agreement(settings, manifest);
  check_step_counts(manifest.T, settings.t, settings.nfe);
  return settings;
}

UpscaleOptions settled_options(const UpscaleSettings& settings) {
  UpscaleSettings taken = settings;
  UpscaleOptions options;
  for_each_setting([&](const auto& setting) {
    if (setting.in_figures) {
      options.*setting.option = setting.value(taken);
    }
  });
  options.detail.reset();  // t, beta and nfe say it
  if (settings.tile.size == 0) {
    options.tile_overlap.reset();
  }
  if (settings.tile.fitted) {
    options.tile.reset();
  }
  return options;
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
