#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

/// What a subcommand does once the command line is read; the result is the exit status.
using Command = std::function<int()>;

/// Each adds one subcommand to `app` and stores its action in `command` when it is chosen.
void add_upscale(CLI::App& app, Command& command);
void add_bench(CLI::App& app, Command& command);
void add_compare(CLI::App& app, Command& command);
void add_eval(CLI::App& app, Command& command);
void add_report(CLI::App& app, Command& command);
void add_sweep(CLI::App& app, Command& command);
void add_models(CLI::App& app, Command& command);
void add_info(CLI::App& app, Command& command);

/// The words that the program was called with.
extern std::vector<std::string> command_line;
