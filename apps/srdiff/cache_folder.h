#pragma once

#include <filesystem>
#include <string>

/// The path of a file in the user's cache folder: $XDG_CACHE_HOME/srdiff, or ~/.cache/srdiff.
/// Empty where the environment names neither by an absolute path. Neither need exist.
std::filesystem::path cache_file(const std::string& name);
