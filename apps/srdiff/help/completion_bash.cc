#include <sstream>

#include "help/command_options.h"
#include "help/help_files.h"
#include "help/offered_words.h"

namespace {

std::string bash_joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : between) + word;
  }
  return text;
}

std::vector<std::string> bash_names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CLI::App* command : commands) {
    names.push_back(command->get_name());
  }
  return names;
}

const char* bash_function_of(WordKind kind) {
  switch (kind) {
    case WordKind::picture:
      return "_srdiff_pictures";
    case WordKind::model:
      return "_srdiff_models";
    case WordKind::number:
    case WordKind::word:
      return ":";
    case WordKind::file:
      break;
  }
  return "_srdiff_files";
}

/// The shell's `case` of the options whose values are words of a list. Of several in one value the
/// last is completed.
void write_bash_values(std::ostream& script, const CLI::App& command) {
  script << "      case $previous in\n";
  for (const CLI::Option* option : options_of(command)) {
    if (takes_value(*option) && kind_of(*option) == WordKind::word) {
      script << "        " << bash_joined(spellings_of(*option), " | ") << ") values='"
             << words_of_option(*option, " ") << '\''
             << (offered_words(*option).is_list ? " before=${current%\"${current##*,}\"}" : "")
             << " ;;\n";
    }
  }
  script << "      esac\n";
}

/// The arms of the shell's `case` for a command and those below it: its options, those of them that
/// take a value, the commands below it and what its words are.
void write_bash_command(std::ostream& script, const CLI::App& command) {
  std::vector<std::string> options;
  std::vector<std::string> with_model;
  std::vector<std::string> with_number;
  std::vector<std::string> with_file;
  for (const CLI::Option* option : options_of(command)) {
    for (const std::string& spelling : spellings_of(*option)) {
      options.push_back(spelling);
      if (takes_value(*option) && kind_of(*option) != WordKind::word) {
        (kind_of(*option) == WordKind::model    ? with_model
         : kind_of(*option) == WordKind::number ? with_number
                                                : with_file)
            .push_back(spelling);
      }
    }
  }
  const std::vector<const CLI::Option*> words = positionals_of(command);
  script << "    '" << full_name(command) << "')\n"
         << "      options='" << bash_joined(options, " ") << "'\n"
         << "      with_model=' " << bash_joined(with_model, " ") << " '\n"
         << "      with_number=' " << bash_joined(with_number, " ") << " '\n"
         << "      with_file=' " << bash_joined(with_file, " ") << " '\n"
         << "      commands='" << bash_joined(bash_names_of(subcommands_of(command)), " ") << "'\n"
         << "      words=" << (words.empty() ? "" : bash_function_of(kind_of(*words.front())))
         << '\n';
  write_bash_values(script, command);
  script << "      ;;\n";
  for (const CLI::App* subcommand : subcommands_of(command)) {
    write_bash_command(script, *subcommand);
  }
}

/// Every command's full name but the program's own, as patterns of the shell's `case`.
void write_bash_names(std::ostream& script, const CLI::App& command) {
  for (const CLI::App* subcommand : subcommands_of(command)) {
    script << "      '" << full_name(*subcommand) << "') command=$command' '$word ;;\n";
    write_bash_names(script, *subcommand);
  }
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::ostringstream script;
  script << "# bash completion of srdiff, which writes it from its own options\n"
            "_srdiff_models() {\n"
            "  mapfile -t COMPREPLY < <(compgen -W \"$(srdiff models list 2>/dev/null |"
            " cut -d ' ' -f 1)\" -- \"$1\"\n"
            "    compgen -d -- \"$1\")\n"
            "}\n"
            "_srdiff_files() { mapfile -t COMPREPLY < <(compgen -f -- \"$1\"); }\n"
            "_srdiff_pictures() {\n"
            "  local options_of_shell\n"
            "  options_of_shell=$(shopt -p extglob nocasematch || true)\n"
            "  shopt -s extglob nocasematch\n"
            "  mapfile -t COMPREPLY < <(compgen -d -- \"$1\"\n"
            "    compgen -f -X '!*.@("
         << picture_endings("|")
         << ")' -- \"$1\")\n"
            "  eval \"$options_of_shell\"\n"
            "}\n"
            "_srdiff() {\n"
            "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
            "  local command=srdiff word options with_model with_number with_file commands words\n"
            "  local values= before=\n"
            "  COMPREPLY=()\n"
            "  if [[ $current == = ]]; then\n"
            "    current=\n"
            "  elif [[ $previous == = ]]; then\n"
            "    previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
            "  fi\n"
            "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
            "    case \"$command $word\" in\n";
  write_bash_names(script, app);
  script << "    esac\n  done\n  case $command in\n";
  write_bash_command(script, app);
  script << "  esac\n"
            "  if [[ $values ]]; then\n"
            "    mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$values\""
            " -- \"${current#\"$before\"}\")\n"
            "  elif [[ $with_model == *\" $previous \"* ]]; then\n"
            "    _srdiff_models \"$current\"\n"
            "  elif [[ $with_file == *\" $previous \"* ]]; then\n"
            "    _srdiff_files \"$current\"\n"
            "  elif [[ $with_number == *\" $previous \"* ]]; then\n"
            "    :\n"
            "  elif [[ $current == -* ]]; then\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
            "  elif [[ $commands ]]; then\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$current\")\n"
            "  elif [[ $words ]]; then\n"
            "    $words \"$current\"\n"
            "  fi\n"
            "}\n"
            "complete -o filenames -F _srdiff srdiff\n";
  return script.str();
}
