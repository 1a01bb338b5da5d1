#include "json_output.h"

#include <iostream>

using nlohmann::ordered_json;

ordered_json to_json(const srdiff::UpscaleSettings& settings) {
  return ordered_json::parse(settings_json(settings));
}

ordered_json to_json(const srdiff::Manifest& manifest) {
  const srdiff::ModelDefaults& defaults = manifest.defaults;
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"task", manifest.task},
          {"description", manifest.description},
          {"scale", manifest.scale},
          {"native_size", manifest.native_size},
          {"max_output_pixels", manifest.max_output_pixels},
          {"T", manifest.T},
          {"parameterisation", to_string(manifest.parameterisation)},
          {"regressor", manifest.regressor.has_value()},
          {"weight_map", manifest.weight_map.has_value()},
          {"defaults",
           {{"t", defaults.t},
            {"beta", defaults.beta},
            {"sampler", to_string(defaults.sampler)},
            {"nfe", defaults.nfe},
            {"eta", defaults.eta},
            {"grid", to_string(defaults.grid)}}},
          {"training_data", manifest.training_data},
          {"licence", manifest.licence}};
}

void print_json(const ordered_json& document) {
  std::cout << document.dump(2, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
}
