#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace srdiff {

/// The whole file. Throws InputError "PATH: reason" when it is missing, no regular file, larger
/// than `max_bytes`, cannot be read, or changes its size meanwhile. Never waits for a pipe or a
/// device.
std::string read_file(const std::filesystem::path& path,
                      std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max());

/// Writes through a temporary file beside `path`, flushed to the disk and then renamed, so that
/// `path` holds either what it held before or all of `bytes`.
/// Throws InputError "PATH: reason"; no temporary file is left.
void write_file_atomically(const std::filesystem::path& path, const std::string& bytes);

/// The ending of a file's name with its dot: ".png" for "A.PNG".
std::string lower_case_extension(const std::filesystem::path& path);

}  // namespace srdiff
