#include "help/command_options.h"

#include <sstream>

#include "help/offered_words.h"
#include "images/image_format.h"

std::vector<const CLI::App*> subcommands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

std::string full_name(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return parent == nullptr ? "srdiff" : full_name(*parent) + " " + command.get_name();
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) {
    return !option->get_positional() && !option->get_group().empty();
  });
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<std::string> spellings_of(const CLI::Option& option) {
  std::vector<std::string> spellings;
  for (const std::string& name : option.get_snames()) {
    spellings.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    spellings.push_back("--" + name);
  }
  return spellings;
}

std::string description_of(const CLI::Option& option) {
  std::istringstream words(option.get_description());
  std::string line;
  for (std::string word; words >> word;) {
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_min() > 0;
}

WordKind kind_of(const CLI::Option& option) {
  if (!offered_words(option).words.empty()) {
    return WordKind::word;
  }
  const std::string& text = option.get_description();
  for (const char* type : {"INT", "UINT", "FLOAT"}) {
    if (option.get_type_name().rfind(type, 0) == 0) {
      return WordKind::number;
    }
  }
  const auto says = [&text](const char* word) { return text.find(word) != std::string::npos; };
  if (says("Model name") || option.get_name() == "--model") {
    return WordKind::model;
  }
  return option.get_positional() && (says("Picture") || says("picture")) ? WordKind::picture
                                                                         : WordKind::file;
}

std::string words_of_option(const CLI::Option& option, const std::string& between) {
  std::string text;
  for (const std::string& word : offered_words(option).words) {
    text += (text.empty() ? "" : between) + word;
  }
  return text;
}

std::string picture_endings(const std::string& between) {
  std::string endings;
  for (const srdiff::FormatTraits& format : srdiff::image_formats()) {
    for (const std::string& word : format.words) {
      endings += (endings.empty() ? "" : between) + word;
    }
  }
  return endings;
}
