#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "srdiff/model.h"
#include "srdiff/upscaler.h"

/// The machine-readable forms of what the subcommands print.
nlohmann::ordered_json to_json(const srdiff::UpscaleSettings& settings);
nlohmann::ordered_json to_json(const srdiff::Manifest& manifest);

/// One document and a line end on standard output. Bytes that are not UTF-8 (in file names) are
/// replaced.
void print_json(const nlohmann::ordered_json& document);
