#pragma once

#include <filesystem>

namespace srdiff {

/// Whether a name ends as pictures do: .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp, in either
/// case.
bool is_picture_name(const std::filesystem::path& name);

/// Whether a name starts with a dot, as those that macOS puts beside pictures do.
bool is_hidden(const std::filesystem::path& name);

}  // namespace srdiff
