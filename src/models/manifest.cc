#include "srdiff/manifest.h"

#include <algorithm>
#include <cmath>

#include "base/enum_words.h"
#include "base/sha256.h"
#include "models/default_models.h"
#include "models/model_folder.h"
#include "srdiff/schedule.h"

namespace srdiff {
namespace {

constexpr EnumWords<ColorFix, 3> color_fix_words = {"the colour fix",
                                                    {{{ColorFix::none, "none"},
                                                      {ColorFix::neutral, "neutral"},
                                                      {ColorFix::consistency, "consistency"}}}};

constexpr EnumWords<Condition, 2> condition_words = {
    "the condition", {{{Condition::bicubic, "bicubic"}, {Condition::x_sr, "x_sr"}}}};

double read_guidance(const JsonFields& fields) {
  return fields.has("guidance") ? fields.in_range("guidance", 0.0, most_guidance) : 1.0;
}

ModelDefaults read_defaults(const JsonFields& fields, int T) {
  fields.allow({"t", "beta", "nfe", "guidance", "eta", "sampler", "grid", "color_fix"});
  ModelDefaults defaults;
  defaults.t = fields.in_range("t", 1, T);
  defaults.beta = fields.in_range("beta", 0.0, 1.0);
  defaults.nfe = fields.in_range("nfe", 1, defaults.t);
  defaults.guidance = read_guidance(fields);
  defaults.eta = fields.has("eta") ? fields.in_range("eta", 0.0, 1.0) : 0.0;
  defaults.sampler = parse_sampler(fields.required<std::string>("sampler"));
  defaults.grid = parse_grid_spacing(fields.optional<std::string>("grid", "uniform"));
  defaults.color_fix = parse_color_fix(fields.optional<std::string>("color_fix", "none"));
  return defaults;
}

/// The list "detail", or nothing.
std::vector<DetailPoint> read_detail(const JsonFields& root, const std::string& where, int T) {
  std::vector<DetailPoint> curve;
  if (!root.has("detail")) {
    return curve;
  }
  for (const JsonFields& fields : root.objects("detail")) {
    fields.allow({"detail", "t", "beta", "nfe", "guidance"});
    DetailPoint point;
    point.detail = fields.in_range("detail", 0.0, 1.0);
    const bool is_x_sr = point.detail == 0.0;
    point.t = fields.in_range("t", is_x_sr ? 0 : 1, is_x_sr ? 0 : T);
    point.beta = fields.in_range("beta", 0.0, 1.0);
    point.nfe = fields.in_range("nfe", is_x_sr ? 0 : 1, point.t);
    point.guidance = read_guidance(fields);
    if (!curve.empty() && point.detail <= curve.back().detail) {
      throw ModelError(where + ": detail: its points must rise");
    }
    curve.push_back(point);
  }
  if (curve.empty() || curve.back().detail != 1.0) {
    throw ModelError(where + ": detail: its last point must be at 1");
  }
  return curve;
}

std::optional<TileSize> read_tile(const JsonFields& root, int multiple) {
  if (!root.has("tile")) {
    return std::nullopt;
  }
  const JsonFields fields = root.object("tile");
  const TileSize tile = {fields.in_range("size", 1, 65536), fields.in_range("overlap", 0, 65536)};
  TileGrid(tile.size, tile.size, tile, multiple);  // throws on what does not fit together
  return tile;
}

Manifest read_document(const nlohmann::json& document, const std::string& where) {
  const JsonFields root(document, where);
  root.expect<int>("format", 1);
  root.expect<std::string>("conditioning", "sqrt_alpha_bar");
  root.expect<std::vector<double>>("value_range", {-1.0, 1.0});

  Manifest manifest;
  manifest.name = root.required<std::string>("name");
  manifest.version = root.required<std::string>("version");
  manifest.task = root.optional<std::string>("task", "");
  manifest.description = root.optional<std::string>("description", "");
  manifest.scale = root.in_range("scale", 1, 64);
  manifest.native_size = root.in_range("native_size", 1, 65536);
  manifest.size_multiple = root.in_range("size_multiple", 1, 1024);
  manifest.max_output_pixels =
      root.in_range<std::int64_t>("max_output_pixels", 1, std::int64_t{1} << 40);
  manifest.tile = read_tile(root, manifest.size_multiple);
  manifest.weight_map_channels = root.optional("weight_map_channels", 1);
  if (manifest.weight_map_channels != 1 && manifest.weight_map_channels != 3) {
    throw ModelError(where + ": 'weight_map_channels' is neither 1 nor 3");
  }
  manifest.parameterisation =
      parse_parameterisation(root.required<std::string>("parameterisation"));
  manifest.condition = parse_condition(root.optional<std::string>("condition", "bicubic"));

  const JsonFields schedule = root.object("schedule");
  schedule.expect<std::string>("kind", "linear");
  manifest.T = schedule.in_range("T", 1, 1000000);
  manifest.beta_start = schedule.required<double>("beta_start");
  manifest.beta_end = schedule.required<double>("beta_end");
  Schedule::linear(manifest.T, manifest.beta_start, manifest.beta_end);  // throws on a bad range

  const JsonFields files = root.object("files");
  manifest.regressor = read_network_file(files, "regressor");
  manifest.weight_map = read_network_file(files, "weight_map");
  manifest.denoiser = required_network_file(files, "denoiser", where + ": files");
  if (manifest.condition == Condition::x_sr && !manifest.regressor) {
    throw ModelError(where +
                     ": files: the field 'regressor' is missing, and the condition is x_sr");
  }
  manifest.defaults = read_defaults(root.object("defaults"), manifest.T);
  manifest.detail = read_detail(root, where, manifest.T);
  if (root.has("training")) {
    const JsonFields training = root.object("training");
    manifest.training_data = training.optional<std::string>("data", "");
    manifest.licence = training.optional<std::string>("licence", "");
  }
  return manifest;
}

}  // namespace

std::string to_string(ColorFix fix) {
  return color_fix_words.word(fix);
}

ColorFix parse_color_fix(const std::string& word) {
  return color_fix_words.parse(word);
}

template <>
std::vector<std::string> words_of<ColorFix>() {
  return color_fix_words.all();
}

std::string to_string(Condition condition) {
  return condition_words.word(condition);
}

Condition parse_condition(const std::string& word) {
  return condition_words.parse(word);
}

DetailPoint point_of_detail(const std::vector<DetailPoint>& curve, double detail) {
  DetailPoint below = {0.0, 0, curve.front().beta, 0, curve.front().guidance};
  DetailPoint above = curve.front();
  for (std::size_t i = 0; i + 1 < curve.size() && above.detail < detail; ++i) {
    below = curve[i];
    above = curve[i + 1];
  }
  const double width = above.detail - below.detail;
  const double share = width > 0.0 ? (detail - below.detail) / width : 0.0;
  const auto between = [share](double from, double to) { return from + share * (to - from); };
  DetailPoint point = {detail, 0, between(below.beta, above.beta), 0,
                       between(below.guidance, above.guidance)};
  if (detail > 0.0) {
    point.t = std::max(static_cast<int>(std::lround(between(below.t, above.t))), 1);
    const auto nfe = static_cast<int>(std::lround(between(below.nfe, above.nfe)));
    point.nfe = std::clamp(nfe, 1, point.t);
  }
  return point;
}

std::int64_t Manifest::max_input_pixels() const {
  return max_output_pixels / (std::int64_t{scale} * scale);
}

Manifest parse_manifest(const std::string& text, const std::string& name) {
  Manifest manifest;
  parse_network_manifest(text, name, [&](const nlohmann::json& document, const std::string& where) {
    manifest = read_document(document, where);
    manifest.sha256 = sha256_hex(document.dump());
  });
  return manifest;
}

Manifest read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / manifest_file;
  return parse_manifest(read_model_file(path), path.string());
}

}  // namespace srdiff
