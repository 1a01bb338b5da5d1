#include "help/offered_words.h"

#include <map>
#include <utility>

namespace {

/// CLI11's options have no room for what a program knows of them.
std::map<const CLI::Option*, OfferedWords>& words_of_options() {
  static std::map<const CLI::Option*, OfferedWords> words;
  return words;
}

}  // namespace

CLI::Option* offer_words(CLI::Option* option, OfferedWords words) {
  words_of_options()[option] = std::move(words);
  return option;
}

const OfferedWords& offered_words(const CLI::Option& option) {
  static const OfferedWords none;
  const auto found = words_of_options().find(&option);
  return found == words_of_options().end() ? none : found->second;
}
