#pragma once

// The one header through which the library and the tool log. Messages go to standard error:
// standard output carries only what was asked for.
#include <spdlog/spdlog.h>

namespace srdiff::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace srdiff::log
