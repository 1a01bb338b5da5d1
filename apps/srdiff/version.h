#pragma once

#include <string>

/// What `--version` prints: "srdiff 0.4.0 (1a2b3c4)", with the commit that was configured, if
/// known.
std::string version_line();
