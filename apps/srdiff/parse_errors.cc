#include "parse_errors.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/nearest_word.h"
#include "commands/commands.h"
#include "shell_words.h"
#include "typed_options.h"

namespace {

namespace fs = std::filesystem;

/// What is wrong with the configuration file, or nothing. CLI11 calls every such file an INI file,
/// and does not say which it is.
std::string config_problem(const CLI::App& app, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    return "";  // says what it is about
  }
  const std::string given = given_config(app);
  const std::string file = given.empty() ? "the configuration" : given;
  if (dynamic_cast<const CLI::FileError*>(&error) != nullptr) {
    return file + ": no such file, or it cannot be read";
  }
  const std::string text = error.what();
  const std::string extras = CLI::ConfigError::Extras("").what();
  if (dynamic_cast<const CLI::ConfigError*>(&error) == nullptr || text.rfind(extras, 0) != 0) {
    return "";
  }
  const std::string name = text.substr(extras.size());
  const std::size_t section_mark = name.rfind(".++");
  return file + ": " +
         (section_mark == std::string::npos
              ? name + " is no option; write it below its subcommand, such as [upscale]"
              : "[" + name.substr(0, section_mark) + "] is no subcommand");
}

bool is_option_like(const std::string& word) {
  return word.size() > 1 && word.front() == '-';
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(subcommand->get_name());
  }
  return names;
}

/// The message on a word that looks like an option and is none.
std::string unknown_option(const CLI::App& subcommand, const std::string& word) {
  const auto names_follow = std::find(command_line.begin(), command_line.end(), "--");
  if (std::find(names_follow, command_line.end(), word) != command_line.end()) {
    return "'" + word + "' stands behind --, where all words are names, and is one too many";
  }
  std::error_code error;
  if (fs::exists(fs::symlink_status(word, error))) {
    return word + " is no option of it; a file of that name is ./" + word;
  }
  const std::string name = option_name(word);
  return name + " is no option of it" + srdiff::nearest_hint(name, option_names(subcommand));
}

/// The first word that is not understood, or nothing.
std::string surplus_word(const CLI::App& app, const CLI::App& subcommand,
                         const CLI::ParseError& error) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto option = std::find_if(words.begin(), words.end(), is_option_like);
  const bool is_surplus = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  // Such a word may be the one that is missing elsewhere: a file whose name starts with a dash.
  const bool may_be_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if ((is_surplus || may_be_missing) && option != words.end()) {
    return unknown_option(subcommand, *option);
  }
  return !is_surplus || words.empty() ? "" : "'" + words.front() + "' is one word too many";
}

}  // namespace

std::string parse_problem(const CLI::App& app, const CLI::ParseError& error) {
  if (std::string problem = config_problem(app, error); !problem.empty()) {
    return problem;
  }
  std::string command = "srdiff";
  const CLI::App* deepest = &app;
  for (auto chosen = app.get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) {
    deepest = chosen.front();
    command += " " + deepest->get_name();
  }
  const auto unknown = app.remaining(/*recurse=*/true);
  const std::vector<std::string> known = subcommand_names(*deepest);
  if (!known.empty() && !unknown.empty() && (deepest == &app || !is_option_like(unknown.front()))) {
    return (deepest == &app ? "" : command + ": ") + "'" + unknown.front() + "' is not known" +
           srdiff::nearest_hint(unknown.front(), known) + "; see " + command + " --help";
  }
  const std::string surplus = surplus_word(app, *deepest, error);
  return (surplus.empty() ? std::string(error.what()) : command + ": " + surplus) + "; see " +
         command + " --help";
}

std::string config_file_problem(const std::string& file) {
  constexpr std::uintmax_t max_bytes = 1 << 20;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) {
    return "";  // said elsewhere
  }
  if (!fs::is_regular_file(status) && !fs::is_fifo(status)) {
    return file + " is not a regular file";
  }
  return fs::is_regular_file(status) && fs::file_size(file, error) > max_bytes
             ? file + " is larger than 1 MiB"
             : "";
}
