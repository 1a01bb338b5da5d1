#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "srdiff/error.h"

namespace srdiff {

/// What a file of JSON that somebody wrote or that a run has printed may have, in bytes.
inline constexpr std::int64_t max_json_bytes = std::int64_t{64} << 20;

/// Parses a JSON text. `Json` is nlohmann::json, or nlohmann::ordered_json where the order of the
/// fields counts. Documents of srdiff nest at most ten levels deep, while copying a value of a
/// hundred thousand levels overflows the stack: more than 64 levels are refused.
/// Throws nlohmann::json::exception where the text is not JSON, UsageError where it is too deep.
template <typename Json = nlohmann::json>
Json parse_json(const std::string& text) {
  constexpr int max_depth = 64;
  return Json::parse(text, [](int depth, typename Json::parse_event_t /*event*/, Json& /*value*/) {
    if (depth > max_depth) {
      throw UsageError("is JSON of more than " + std::to_string(max_depth) + " levels");
    }
    return true;
  });
}

/// The whole number that a value is; nothing where it is none or does not fit. nlohmann/json itself
/// would convert any number: 1e300 too, for which C++ defines no result.
template <typename Integer, typename Json>
std::optional<Integer> whole_number(const Json& value) {
  using Limits = std::numeric_limits<Integer>;
  if (!value.is_number_integer()) {
    return std::nullopt;
  }
  const auto number = value.template get<std::int64_t>();
  const bool is_negative = !value.is_number_unsigned() && number < 0;
  const bool fits = is_negative
                        ? Limits::is_signed && number >= static_cast<std::int64_t>(Limits::min())
                        : value.template get<std::uint64_t>() <= std::uint64_t{Limits::max()};
  return fits ? std::optional(value.template get<Integer>()) : std::nullopt;
}

}  // namespace srdiff
