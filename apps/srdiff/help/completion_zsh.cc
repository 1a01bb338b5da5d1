#include <algorithm>
#include <sstream>

#include "help/command_options.h"
#include "help/help_files.h"
#include "help/offered_words.h"

namespace {

/// Text inside single quotes and _arguments' brackets and colons.
std::string zsh_escaped(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\'') {
      result += "'\\''";
    } else if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') {
      result += std::string("\\") + letter;
    } else {
      result += letter;
    }
  }
  return result;
}

std::string zsh_function_of(const CLI::App& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '_');
  return "_" + name;
}

std::string zsh_action_of(WordKind kind) {
  switch (kind) {
    case WordKind::picture:
      return "_files -g \"*.(#i)(" + picture_endings("|") + ")(-.)\"";
    case WordKind::model:
      return "_srdiff_model_names";
    case WordKind::number:
    case WordKind::word:
      return " ";
    case WordKind::file:
      break;
  }
  return "_files";
}

std::string zsh_action_of(const CLI::Option& option) {
  if (kind_of(option) != WordKind::word) {
    return zsh_action_of(kind_of(option));
  }
  const std::string words = words_of_option(option, " ");
  return offered_words(option).is_list ? " _values -s , value " + words : "(" + words + ")";
}

void write_zsh_option(std::ostream& script, const CLI::Option& option) {
  for (const std::string& spelling : spellings_of(option)) {
    script << " \\\n    '" << spelling << '[' << zsh_escaped(description_of(option)) << ']'
           << (takes_value(option) ? ":value:" + zsh_action_of(option) : "") << '\'';
  }
}

/// The function of a command, behind those of the commands below it.
void write_zsh_command(std::ostream& script, const CLI::App& command) {
  const std::vector<const CLI::App*> commands = subcommands_of(command);
  for (const CLI::App* subcommand : commands) {
    write_zsh_command(script, *subcommand);
  }
  script << zsh_function_of(command) << "() {\n  local context state state_descr line\n"
         << "  typeset -A opt_args\n  _arguments -C";
  for (const CLI::Option* option : options_of(command)) {
    write_zsh_option(script, *option);
  }
  for (const CLI::Option* word : positionals_of(command)) {
    const bool several = word->get_expected_max() > 1;
    script << " \\\n    '" << (several ? "*" : "") << ':' << zsh_escaped(word->get_name()) << ':'
           << zsh_action_of(kind_of(*word)) << '\'';
  }
  if (!commands.empty()) {
    script << " \\\n    '1:command:->command' '*::argument:->argument'";
  }
  script << '\n';
  if (!commands.empty()) {
    script << "  case $state in\n  command)\n    local -a commands=(";
    for (const CLI::App* subcommand : commands) {
      script << "\n      '" << subcommand->get_name() << ':'
             << zsh_escaped(subcommand->get_description()) << '\'';
    }
    script << ")\n    _describe command commands\n    ;;\n  argument)\n    case $words[1] in\n";
    for (const CLI::App* subcommand : commands) {
      script << "    " << subcommand->get_name() << ") " << zsh_function_of(*subcommand) << " ;;\n";
    }
    script << "    esac\n    ;;\n  esac\n";
  }
  script << "}\n";
}

}  // namespace

std::string zsh_completion(const CLI::App& app) {
  std::ostringstream script;
  script << "#compdef srdiff\n# zsh completion of srdiff, which writes it from its own options\n"
            "_srdiff_model_names() {\n"
            "  local -a models=(${(f)\"$(srdiff models list 2>/dev/null | cut -d ' ' -f 1)\"})\n"
            "  compadd -a models\n"
            "  _files -/\n"
            "}\n";
  write_zsh_command(script, app);
  script << "_srdiff \"$@\"\n";
  return script.str();
}
