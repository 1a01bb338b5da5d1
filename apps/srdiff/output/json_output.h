#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "srdiff/model.h"
#include "srdiff/upscaler.h"

/// The machine-readable forms of what the subcommands print.
nlohmann::ordered_json to_json(const srdiff::UpscaleSettings& settings);
nlohmann::ordered_json to_json(const srdiff::Manifest& manifest);

/// A document and a line end. Bytes that are not UTF-8 (in file names) are replaced.
std::string json_text(const nlohmann::ordered_json& document, int indent);

/// Prints json_text with an indent of 2 on standard output.
void print_json(const nlohmann::ordered_json& document);
