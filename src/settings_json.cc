#include "settings_json.h"

#include "srdiff/device.h"

namespace srdiff {
namespace {

using nlohmann::ordered_json;

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

template <typename Value>
void override_value(const JsonFields& fields, const char* key, Value& field) {
  if (fields.has(key)) {
    field = fields.required<Value>(key);
  }
}

template <typename Value>
void override_value(const JsonFields& fields, const char* key, std::optional<Value>& field) {
  if (fields.has(key)) {
    field = fields.required<Value>(key);
  }
}

template <typename Parse, typename Field>
void override_word(const JsonFields& fields, const char* key, const Parse& parse, Field& field) {
  if (fields.has(key)) {
    field = parse(fields.required<std::string>(key));
  }
}

}  // namespace

std::string settings_json(const UpscaleSettings& settings) {
  return to_json(settings).dump();
}

std::string made_by(const Manifest& manifest, const UpscaleSettings& settings,
                    c10::ScalarType precision) {
  const ordered_json model = {
      {"name", manifest.name}, {"version", manifest.version}, {"sha256", manifest.sha256}};
  return ordered_json{{"srdiff", SRDIFF_VERSION},
                      {"model", model},
                      {"precision", to_string(precision)},
                      {"settings", to_json(settings)}}
      .dump();
}

void override_options(const JsonFields& fields, UpscaleOptions& options) {
  override_word(fields, "start", parse_start, options.start);
  override_value(fields, "weight_map", options.weight_map);
  override_value(fields, "t", options.t);
  override_value(fields, "beta", options.beta);
  override_word(fields, "sampler", parse_sampler, options.sampler);
  override_value(fields, "nfe", options.nfe);
  override_value(fields, "eta", options.eta);
  override_word(fields, "grid", parse_grid_spacing, options.grid);
  override_value(fields, "seed", options.seed);
  override_word(fields, "color_fix", parse_color_fix, options.color_fix);
}

}  // namespace srdiff
