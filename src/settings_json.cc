#include <nlohmann/json.hpp>

#include "srdiff/device.h"
#include "srdiff/upscaler.h"

namespace srdiff {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const UpscaleSettings& settings) {
  return {{"start", to_string(settings.start)},
          {"weight_map", settings.weight_map},
          {"t", settings.t},
          {"beta", settings.beta},
          {"sampler", to_string(settings.sampler)},
          {"nfe", settings.nfe},
          {"eta", settings.eta},
          {"grid", to_string(settings.grid)},
          {"seed", settings.seed}};
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

}  // namespace srdiff
