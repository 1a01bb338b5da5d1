#pragma once

#include <CLI/CLI.hpp>
#include <string>

/// What is wrong with a command line, in one line: CLI11 explains over several.
std::string parse_problem(const CLI::App& app, const CLI::ParseError& error);

/// Why a configuration file is not read, or nothing: a device never ends, and no one writes a
/// megabyte of options.
std::string config_file_problem(const std::string& file);
