#pragma once

#include <CLI/CLI.hpp>
#include <string>

/// Manual pages and shell completions, made from the options that the program parses.

/// The hidden option `--write-help-files FOLDER`: writes FOLDER/man1/*.1, one page a command, and
/// FOLDER/completions/srdiff (bash), _srdiff (zsh) and srdiff.fish, then ends the program. Throws
/// srdiff::InputError where the folder cannot be written.
void add_help_files_option(CLI::App& app);

/// The manual page of a command, of section 1, in the markup of man(7).
std::string manual_page(const CLI::App& command);

/// The completion scripts of the whole program.
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);
