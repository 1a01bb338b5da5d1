#pragma once

#include <filesystem>
#include <vector>

namespace srdiff {

/// The places where folders of networks are looked for: those of an environment variable, separated
/// by ':', then a subfolder beside the executable, of the installed data and of the source tree.
/// Each once: an installed tool's own folder is often the library's too.
std::vector<std::filesystem::path> network_places(const char* variable, const char* subfolder);

/// Whether this is a folder of networks.
bool has_manifest(const std::filesystem::path& folder);

}  // namespace srdiff
