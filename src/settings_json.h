#pragma once

#include <nlohmann/json.hpp>

#include "json_fields.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// Overrides those options that a JSON object names: start, weight_map, t, beta, sampler, nfe, eta,
/// grid, seed. Throws ModelError naming a field of the wrong type, UsageError on an unknown word.
void override_options(const JsonFields& fields, UpscaleOptions& options);

}  // namespace srdiff
