#include "pipeline/settings_json.h"

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "srdiff/device.h"

namespace srdiff {
namespace {

using nlohmann::ordered_json;

/// visit(name in JSON, field), and for a word visit(name, field, its parser), of each option that
/// JSON holds. Not of the batch, which changes no picture, nor of the scale, since figures are
/// taken at the model's own.
template <typename Options, typename Visit>
void for_each_option(Options& options, const Visit& visit) {
  visit("start", options.start, parse_start);
  visit("weight_map", options.weight_map);
  visit("t", options.t);
  visit("beta", options.beta);
  visit("sampler", options.sampler, parse_sampler);
  visit("nfe", options.nfe);
  visit("eta", options.eta);
  visit("grid", options.grid, parse_grid_spacing);
  visit("seed", options.seed);
  visit("color_fix", options.color_fix, parse_color_fix);
  visit("tile", options.tile);
  visit("tile_overlap", options.tile_overlap);
}

template <typename Field>
void read(const JsonFields& fields, const char* key, Field& field) {
  fields.override(key, field);
}

template <typename Field, typename Parse>
void read(const JsonFields& fields, const char* key, Field& field, const Parse& parse) {
  if (fields.has(key)) {
    field = parse(fields.required<std::string>(key));
  }
}

template <typename Value>
void write(ordered_json& json, const char* key, const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    json[key] = to_string(value);
  } else {
    json[key] = value;
  }
}

template <typename Value>
void write(ordered_json& json, const char* key, const std::optional<Value>& value) {
  if (value) {
    write(json, key, *value);
  }
}

}  // namespace

ordered_json to_json(const UpscaleSettings& settings) {
  ordered_json json = {{"start", to_string(settings.start)},
                       {"weight_map", settings.weight_map},
                       {"t", settings.t},
                       {"beta", settings.beta},
                       {"sampler", to_string(settings.sampler)},
                       {"nfe", settings.nfe},
                       {"eta", settings.eta},
                       {"grid", to_string(settings.grid)},
                       {"seed", settings.seed},
                       {"scale", settings.scale},
                       {"color_fix", to_string(settings.color_fix)}};
  if (settings.tile.size > 0) {
    json["tile"] = {{"size", settings.tile.size}, {"overlap", settings.tile.overlap}};
  }
  return json;
}

void override_options(const JsonFields& fields, UpscaleOptions& options,
                      std::initializer_list<const char*> others) {
  std::vector<std::string> known(others.begin(), others.end());
  for_each_option(options, [&](const char* key, auto& field, const auto&... parse) {
    known.emplace_back(key);
    read(fields, key, field, parse...);
  });
  fields.allow(known);
}

ordered_json options_json(const UpscaleOptions& options) {
  ordered_json json = ordered_json::object();
  for_each_option(options, [&json](const char* key, const auto& field, const auto&... /*parse*/) {
    write(json, key, field);
  });
  return json;
}

}  // namespace srdiff
