#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace srdiff {

/// The folders that may hold srdiff's data files of one kind, each once: share/srdiff/SUBFOLDER
/// beside the executable's folder, SUBFOLDER of the installed data, and of the source tree where
/// the program runs from its build folder. An installed program does not look into the source tree.
std::vector<std::filesystem::path> data_places(const char* subfolder);

/// The places that an environment variable names, separated by ':', and then data_places.
std::vector<std::filesystem::path> search_places(const char* variable, const char* subfolder);

/// The first of `places` below which there is such a regular file; empty where there is none.
std::filesystem::path first_place_with(const std::vector<std::filesystem::path>& places,
                                       const std::filesystem::path& file);

}  // namespace srdiff
