#include "base/search_path.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace srdiff {
namespace {

namespace fs = std::filesystem;

void add_once(std::vector<fs::path>& places, const fs::path& place) {
  if (std::find(places.begin(), places.end(), place) == places.end()) {
    places.push_back(place);
  }
}

/// Whether this executable lies in the folder that it was built in.
bool runs_from_build_folder(const fs::path& executable) {
  const fs::path below = executable.lexically_relative(SRDIFF_BUILD_FOLDER);
  return !below.empty() && *below.begin() != "..";
}

}  // namespace

std::vector<fs::path> data_places(const char* subfolder) {
  std::vector<fs::path> places;
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = executable.parent_path().parent_path() / "share/srdiff";
  if (!executable.empty()) {
    add_once(places, beside / subfolder);
  }
  add_once(places, fs::path(SRDIFF_INSTALLED_DATA) / subfolder);
  // One that was installed below the build folder has its data beside it.
  if (runs_from_build_folder(executable) && !fs::is_directory(beside, error)) {
    add_once(places, fs::path(SRDIFF_SOURCE_TREE) / subfolder);
  }
  return places;
}

std::vector<fs::path> search_places(const char* variable, const char* subfolder) {
  std::vector<fs::path> places;
  if (const char* value = std::getenv(variable)) {  // NOLINT(concurrency-mt-unsafe)
    std::istringstream list(value);
    std::string place;
    while (std::getline(list, place, ':')) {
      if (!place.empty()) {
        add_once(places, place);
      }
    }
  }
  for (const fs::path& place : data_places(subfolder)) {
    add_once(places, place);
  }
  return places;
}

fs::path first_place_with(const std::vector<fs::path>& places, const fs::path& file) {
  const auto found = std::find_if(places.begin(), places.end(), [&](const fs::path& place) {
    std::error_code error;
    return fs::is_regular_file(place / file, error);
  });
  return found == places.end() ? fs::path() : *found;
}

}  // namespace srdiff
