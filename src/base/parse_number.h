#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <system_error>

/// The number that a whole word is, whatever the locale; nothing where it is none that fits.
template <typename Number>
std::optional<Number> number_word(const std::string& word) {
  Number number = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}
