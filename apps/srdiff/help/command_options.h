#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

/// What CLI11 knows of a command, as manual pages and shell completions need it.

/// What a word on the command line is, as far as its description tells.
enum class WordKind { picture, model, number, word, file };

/// The commands below a command, in the order in which help names them.
std::vector<const CLI::App*> subcommands_of(const CLI::App& command);

/// The program's name and those of the commands down to this one, as "srdiff models list".
std::string full_name(const CLI::App& command);

/// Options that help names, without positional words.
std::vector<const CLI::Option*> options_of(const CLI::App& command);
std::vector<const CLI::Option*> positionals_of(const CLI::App& command);

/// "-r" and "--recursive".
std::vector<std::string> spellings_of(const CLI::Option& option);

/// On one line.
std::string description_of(const CLI::Option& option);

bool takes_value(const CLI::Option& option);
WordKind kind_of(const CLI::Option& option);

/// The words that an option of the kind `word` offers, between them `between`.
std::string words_of_option(const CLI::Option& option, const std::string& between);

/// "png|jpg|…", the endings of the files that are read as pictures.
std::string picture_endings(const std::string& between);
