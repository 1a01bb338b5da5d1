#include "shell_words.h"

#include <algorithm>

#include "srdiff/name_text.h"

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

std::string typed_command(const std::vector<std::string>& words) {
  std::string command = "srdiff";
  for (std::size_t i = 1; i < words.size(); ++i) {
    command += " " + shell_quoted(words[i]);
  }
  return command;
}

std::string resume_command(const std::vector<std::string>& words) {
  const auto names_follow = std::find(words.begin(), words.end(), "--");
  std::string command;
  for (auto word = words.begin(); word != names_follow; ++word) {
    const std::string option = word->substr(0, word->find('='));
    if (option != "--overwrite" && option != "--resume") {
      command += shell_quoted(*word) + " ";
    }
  }
  command += "--resume";
  for (auto word = names_follow; word != words.end(); ++word) {
    command += " " + shell_quoted(*word);
  }
  return command;
}
