#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace srdiff {

/// The number that the whole of `word` spells, whatever the locale; nothing
/// where the word is no number or the number does not fit into the type.
template <typename Number>
std::optional<Number> parse_number(std::string_view word) {
  Number number = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace srdiff
