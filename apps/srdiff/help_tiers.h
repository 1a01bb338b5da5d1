#pragma once

#include <CLI/CLI.hpp>
#include <memory>

/// Help in two tiers: groups whose name ends in ", more" are in --help-all only.
std::shared_ptr<CLI::FormatterBase> tiered_help();
