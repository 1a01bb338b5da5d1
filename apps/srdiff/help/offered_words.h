#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

/// The words that an option's value is one of, which shells complete.
struct OfferedWords {
  std::vector<std::string> words = {};
  bool is_list = false;  ///< the value is several of them, separated by commas
};

/// Notes the words of an option, as their parser has them, and returns the option. CLI11 itself
/// learns nothing of them: what refuses a word is its parser.
CLI::Option* offer_words(CLI::Option* option, OfferedWords words);

/// What was noted; without words where nothing was.
const OfferedWords& offered_words(const CLI::Option& option);
