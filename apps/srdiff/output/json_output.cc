#include "output/json_output.h"

#include <iostream>

using nlohmann::ordered_json;

ordered_json to_json(const srdiff::UpscaleSettings& settings) {
  return ordered_json::parse(settings_json(settings));
}

ordered_json to_json(const srdiff::Manifest& manifest) {
  const srdiff::ModelDefaults& defaults = manifest.defaults;
  const ordered_json tile = manifest.tile ? ordered_json{{"size", manifest.tile->size},
                                                         {"overlap", manifest.tile->overlap}}
                                          : ordered_json();
  auto detail = ordered_json::array();
  for (const srdiff::DetailPoint& point : manifest.detail) {
    detail.push_back({{"detail", point.detail},
                      {"t", point.t},
                      {"beta", point.beta},
                      {"nfe", point.nfe},
                      {"guidance", point.guidance}});
  }
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"task", manifest.task},
          {"description", manifest.description},
          {"scale", manifest.scale},
          {"native_size", manifest.native_size},
          {"max_output_pixels", manifest.max_output_pixels},
          {"tile", tile},
          {"T", manifest.T},
          {"parameterisation", to_string(manifest.parameterisation)},
          {"condition", to_string(manifest.condition)},
          {"regressor", manifest.regressor.has_value()},
          {"weight_map", manifest.weight_map.has_value()},
          {"defaults",
           {{"t", defaults.t},
            {"beta", defaults.beta},
            {"sampler", to_string(defaults.sampler)},
            {"nfe", defaults.nfe},
            {"guidance", defaults.guidance},
            {"eta", defaults.eta},
            {"grid", to_string(defaults.grid)},
            {"color_fix", to_string(defaults.color_fix)}}},
          {"detail", detail},
          {"training_data", manifest.training_data},
          {"licence", manifest.licence}};
}

std::string json_text(const ordered_json& document, int indent) {
  return document.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void print_json(const ordered_json& document) {
  std::cout << json_text(document, 2) << std::flush;
}
