#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace srdiff {

/// Of models, for network_places.
inline constexpr const char* models_variable = "SRDIFF_MODELS";
inline constexpr const char* models_subfolder = "models";

/// The models that are chosen from when none is named: see default_model.
inline constexpr const char* model_of_faces = "faces-x8";
inline constexpr const char* model_of_photographs = "photos-x4";

/// The places where folders of networks are looked for: those of an environment variable, separated
/// by ':', then a subfolder beside the executable, of the installed data and of the source tree.
/// Each once: an installed tool's own folder is often the library's too.
std::vector<std::filesystem::path> network_places(const char* variable, const char* subfolder);

/// Whether this is a folder of networks.
bool has_manifest(const std::filesystem::path& folder);

/// The first of `places` that has a folder of networks of that name: that folder. Empty where there
/// is none.
std::filesystem::path first_network_folder(const std::vector<std::filesystem::path>& places,
                                           const std::string& name);

}  // namespace srdiff
