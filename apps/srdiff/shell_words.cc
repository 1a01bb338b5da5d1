#include "shell_words.h"

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
  std::string command;
  for (const std::string& word : words) {
    if (word != "--overwrite" && word != "--resume") {
      command += shell_quoted(word) + " ";
    }
  }
  return command + "--resume";
}
