#include <sstream>

#include "help/command_options.h"
#include "help/help_files.h"
#include "help/offered_words.h"

namespace {

std::string fish_quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) {
    result +=
        letter == '\'' || letter == '\\' ? std::string("\\") + letter : std::string(1, letter);
  }
  return result + "'";
}

std::string fish_names_below(const CLI::App& command) {
  std::string names;
  for (const CLI::App* subcommand : subcommands_of(command)) {
    names += " " + subcommand->get_name();
  }
  return names;
}

/// When the words so far have come down to a command, and no further.
std::string fish_condition_of(const CLI::App& command) {
  std::string condition;
  for (const CLI::App* above = &command; above->get_parent() != nullptr;
       above = above->get_parent()) {
    condition.insert(0, condition.empty() ? "" : "; and ");
    condition.insert(0, "__fish_seen_subcommand_from " + above->get_name());
  }
  if (!subcommands_of(command).empty()) {
    condition += (condition.empty() ? "not " : "; and not ") +
                 ("__fish_seen_subcommand_from" + fish_names_below(command));
  }
  return condition;
}

/// How `complete` is told what a word is.
std::string fish_action_of(WordKind kind) {
  switch (kind) {
    case WordKind::picture:
      return " -k -a '(__fish_complete_suffix ." + picture_endings(" .") + ")'";
    case WordKind::model:
      return " -a '(__srdiff_models)'";
    case WordKind::number:
    case WordKind::word:
      return " -f";
    case WordKind::file:
      break;
  }
  return " -F";
}

std::string fish_action_of(const CLI::Option& option) {
  std::string action = fish_action_of(kind_of(option));
  if (kind_of(option) != WordKind::word) {
    return action;
  }
  const std::string words = words_of_option(option, " ");
  return action + " -a " +
         fish_quoted(offered_words(option).is_list ? "(__srdiff_list " + words + ")" : words);
}

void write_fish_option(std::ostream& script, const CLI::Option& option, const std::string& start) {
  script << start;
  for (const std::string& name : option.get_snames()) {
    script << " -s " << name;
  }
  for (const std::string& name : option.get_lnames()) {
    script << " -l " << name;
  }
  script << " -d " << fish_quoted(description_of(option));
  if (takes_value(option)) {
    script << " -r" << fish_action_of(option);
  }
  script << '\n';
}

void write_fish_command(std::ostream& script, const CLI::App& command) {
  const std::string start = "complete -c srdiff -n " + fish_quoted(fish_condition_of(command));
  for (const CLI::App* subcommand : subcommands_of(command)) {
    script << start << " -f -a " << subcommand->get_name() << " -d "
           << fish_quoted(subcommand->get_description()) << '\n';
  }
  for (const CLI::Option* option : options_of(command)) {
    write_fish_option(script, *option, start);
  }
  for (const CLI::Option* word : positionals_of(command)) {
    script << start << fish_action_of(kind_of(*word)) << '\n';
  }
  for (const CLI::App* subcommand : subcommands_of(command)) {
    write_fish_command(script, *subcommand);
  }
}

}  // namespace

std::string fish_completion(const CLI::App& app) {
  std::ostringstream script;
  script << "# fish completion of srdiff, which writes it from its own options\n"
            "function __srdiff_models\n"
            "    srdiff models list 2>/dev/null | string replace -r ' .*' ''\n"
            "end\n"
            "function __srdiff_list\n"
            "    set -l value (commandline -ct | string replace -r '^--[^=]*=' '')\n"
            "    set -l before (string replace -r '[^,]*$' '' -- \"$value\")\n"
            "    printf '%s\\n' \"$before\"$argv\n"
            "end\n";
  write_fish_command(script, app);
  return script.str();
}
