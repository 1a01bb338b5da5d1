#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

/// Has `app` tell the options of the command line from those that a configuration file adds to
/// them. To be called before commands are added, which take over how files are read.
void tell_typed_options(CLI::App& app);

/// The options of a command that the command line holds, by their long names as "--recursive". To
/// be called when all is parsed.
std::set<std::string> typed_options(const CLI::App& command);

/// The file that --config names, or "". CLI11 2.4 reads the first of no results where an option
/// without any is asked for its text.
std::string given_config(const CLI::App& app);
