#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "srdiff/upscale_settings.h"

namespace srdiff {

/// The settings that decide a picture (setting_list.h): all but the batch.
nlohmann::ordered_json to_json(const UpscaleSettings& settings);

/// Overrides those options that a JSON object names, of the settings that figures depend on: all
/// but the scale and the batch. Throws ModelError naming a field of the wrong type, or one that is
/// neither an option nor among `others`; UsageError on an unknown word.
void override_options(const JsonFields& fields, UpscaleOptions& options,
                      std::initializer_list<const char*> others = {});

/// The options that are not empty, in the form that override_options reads.
nlohmann::ordered_json options_json(const UpscaleOptions& options);

}  // namespace srdiff
