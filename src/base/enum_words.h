#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "srdiff/error.h"

namespace srdiff {

/// The words that the parse function of an enumeration takes, in the order of its message.
/// Specialised beside an enumeration's table.
template <typename Enum>
std::vector<std::string> words_of();

/// The words of an enumeration, for printing and parsing.
template <typename Enum, std::size_t Count>
struct EnumWords {
  const char* what;
  std::array<std::pair<Enum, const char*>, Count> words;

  std::string word(Enum value) const {
    for (const auto& [candidate, word] : words) {
      if (candidate == value) {
        return word;
      }
    }
    return "?";
  }

  std::vector<std::string> all() const {
    std::vector<std::string> result;
    for (const auto& [value, word] : words) {
      result.emplace_back(word);
    }
    return result;
  }

  Enum parse(const std::string& text) const {
    std::string choices;
    for (const auto& [value, word] : words) {
      if (text == word) {
        return value;
      }
      choices += (choices.empty() ? "" : ", ") + std::string(word);
    }
    throw UsageError(std::string(what) + " '" + text + "' is not known; choose one of: " + choices);
  }
};

}  // namespace srdiff
