#include <algorithm>
#include <cctype>
#include <sstream>

#include "help/command_options.h"
#include "help/help_files.h"

namespace {

/// Text as man(7) wants it: no hyphen that ends up as another character, no line that is a request.
std::string roff(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\') {
      result += "\\e";
    } else if (letter == '-') {
      result += "\\-";
    } else if ((letter == '.' || letter == '\'') && (result.empty() || result.back() == '\n')) {
      result += std::string("\\&") + letter;
    } else {
      result += letter;
    }
  }
  return result;
}

/// A command's page is "srdiff-models-list".
std::string page_name(const CLI::App& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

/// The program's own description starts with its name, which the page says already.
std::string page_summary_of(const CLI::App& command) {
  const std::string text = command.get_description();
  const std::string start = "srdiff: ";
  return text.rfind(start, 0) == 0 ? text.substr(start.size()) : text;
}

std::string page_value_of(const CLI::Option& option) {
  std::string value = option.get_type_name().substr(0, option.get_type_name().find(':'));
  const std::string standard = option.get_default_str();
  return takes_value(option) && standard.empty() ? value : value + " (" + standard + ")";
}

void write_page_option(std::ostream& page, const CLI::Option& option) {
  std::string names;
  for (const std::string& spelling : spellings_of(option)) {
    names += (names.empty() ? "\\fB" : ", \\fB") + roff(spelling) + "\\fR";
  }
  if (option.get_positional()) {
    names = "\\fI" + roff(option.get_name()) + "\\fR";
  } else if (takes_value(option)) {
    names += " \\fI" + roff(page_value_of(option)) + "\\fR";
  }
  page << ".TP\n" << names << '\n' << roff(description_of(option)) << '\n';
}

/// "Folders" and "Folders, more", which short help leaves out, are one section.
std::string page_section_of(const CLI::Option& option) {
  return option.get_group().substr(0, option.get_group().find(','));
}

void write_page_options(std::ostream& page, const CLI::App& command) {
  std::vector<std::string> sections;
  for (const CLI::Option* option : options_of(command)) {
    if (std::find(sections.begin(), sections.end(), page_section_of(*option)) == sections.end()) {
      sections.push_back(page_section_of(*option));
    }
  }
  page << ".SH OPTIONS\n";
  for (const std::string& section : sections) {
    page << (section == "Options" ? "" : ".SS " + roff(section) + "\n");
    for (const CLI::Option* option : options_of(command)) {
      if (page_section_of(*option) == section) {
        write_page_option(page, *option);
      }
    }
  }
}

/// The lines below a command's help, a paragraph a sentence that ends its line.
void write_page_footer(std::ostream& page, const CLI::App& command) {
  std::istringstream lines(command.get_footer());
  std::string line;
  bool starts_paragraph = false;
  page << (command.get_footer().empty() ? "" : ".SH NOTES\n");
  while (std::getline(lines, line)) {
    page << (starts_paragraph ? ".PP\n" : "") << roff(line) << '\n';
    starts_paragraph = !line.empty() && line.back() == '.';
  }
}

void write_page_see_also(std::ostream& page, const CLI::App& command) {
  std::vector<const CLI::App*> others = subcommands_of(command);
  if (command.get_parent() != nullptr) {
    others.insert(others.begin(), command.get_parent());
  }
  page << ".SH \"SEE ALSO\"\n";
  for (std::size_t i = 0; i < others.size(); ++i) {
    page << ".BR " << roff(page_name(*others[i])) << (i + 1 < others.size() ? " (1),\n" : " (1)\n");
  }
}

}  // namespace

std::string manual_page(const CLI::App& command) {
  const std::string name = page_name(command);
  std::string capitals = name;
  std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                 [](unsigned char letter) { return std::toupper(letter); });
  std::ostringstream page;
  page << ".TH " << roff(capitals) << " 1 \"\" \"srdiff " SRDIFF_VERSION "\" \"srdiff\"\n"
       << ".SH NAME\n"
       << roff(name) << " \\- " << roff(page_summary_of(command)) << '\n'
       << ".SH SYNOPSIS\n.B " << roff(full_name(command)) << "\n[\\fIOPTIONS\\fR]\n";
  for (const CLI::Option* word : positionals_of(command)) {
    const std::string name = "\\fI" + roff(word->get_name()) + "\\fR";
    const std::string repeated = name + (word->get_expected_max() > 1 ? " ..." : "");
    page << (word->get_required() ? repeated : "[" + repeated + "]") << '\n';
  }
  const std::vector<const CLI::App*> commands = subcommands_of(command);
  page << (commands.empty() ? "" : "\\fICOMMAND\\fR ...\n");
  if (!positionals_of(command).empty()) {
    page << ".SH ARGUMENTS\n";
  }
  for (const CLI::Option* word : positionals_of(command)) {
    write_page_option(page, *word);
  }
  page << (commands.empty() ? "" : ".SH COMMANDS\n");
  for (const CLI::App* subcommand : commands) {
    page << ".TP\n\\fB" << roff(subcommand->get_name()) << "\\fR\n"
         << roff(subcommand->get_description()) << '\n';
  }
  write_page_options(page, command);
  write_page_footer(page, command);
  write_page_see_also(page, command);
  return page.str();
}
