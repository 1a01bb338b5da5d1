#pragma once

#include <filesystem>
#include <string>

namespace srdiff {

/// Writes a file that appears whole or not at all. Throws InputError "PATH: reason"; what was at
/// `path` before then still is.
void write_text_file(const std::filesystem::path& path, const std::string& text);

}  // namespace srdiff
