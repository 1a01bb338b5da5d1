#include "shell_words.h"

#include <algorithm>
#include <iterator>

#include "base/text_escape.h"

namespace {

/// Each behind a space.
template <typename Word>
std::string quoted_words(Word word, Word end) {
  std::string text;
  for (; word != end; ++word) {
    text += " " + shell_quoted(*word);
  }
  return text;
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  const std::string safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  if (!word.empty() && word.find_first_not_of(safe) == std::string::npos) {
    return word;
  }
  const bool plain = srdiff::printable(word) == word;
  std::string quoted = plain ? "'" : "$'";
  // $'...' knows backslashes, '...' does not.
  for (const char c : plain ? word : srdiff::printable(srdiff::name_to_utf8(word))) {
    quoted += c == '\'' ? (plain ? "'\\''" : "\\'") : std::string(1, c);
  }
  return quoted + "'";
}

std::string option_name(const std::string& word) {
  return word.substr(0, word.find('='));
}

std::string typed_command(const std::vector<std::string>& words) {
  return "srdiff" + quoted_words(words.begin() + 1, words.end());
}

std::string resume_command(const std::vector<std::string>& words) {
  const auto names_follow = std::find(words.begin(), words.end(), "--");
  std::vector<std::string> kept;
  std::copy_if(words.begin() + 1, names_follow, std::back_inserter(kept),
               [](const std::string& word) {
                 const std::string option = option_name(word);
                 return option != "--overwrite" && option != "--resume";
               });
  kept.emplace_back("--resume");
  kept.insert(kept.end(), names_follow, words.end());
  return shell_quoted(words.front()) + quoted_words(kept.begin(), kept.end());
}
