#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace srdiff {

/// The SHA-256 of the file of an identity (`file_identity`), as 64 lower-case hexadecimal digits,
/// or nothing where it is not known. May be called from several threads at once.
using KnownDigests = std::function<std::optional<std::string>(const std::string& identity)>;

/// Sets a source of digests that need not be computed again, for a program that hashes a model's
/// files while LibTorch is still being loaded. Call it before the first model is loaded.
void set_known_digests(KnownDigests known);

/// Device, inode, size and times of change: the same text, as long as the file stays as it is.
/// Empty where there is no such file.
std::string file_identity(const std::filesystem::path& path);

}  // namespace srdiff
