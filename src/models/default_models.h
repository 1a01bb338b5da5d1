#pragma once

namespace srdiff {

/// Where model folders are looked for (search_places in base/search_path.h), and what makes a
/// folder one of networks.
inline constexpr const char* models_variable = "SRDIFF_MODELS";
inline constexpr const char* models_subfolder = "models";
inline constexpr const char* manifest_file = "manifest.json";

/// The models that are chosen from when none is named: see DefaultModels in srdiff/model.h.
inline constexpr const char* model_of_faces = "faces-x8";
inline constexpr const char* model_of_photographs = "photos-x4";

}  // namespace srdiff
