#include "base/search_path.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace srdiff {

namespace fs = std::filesystem;

std::vector<fs::path> network_places(const char* variable, const char* subfolder) {
  std::vector<fs::path> places;
  const auto add = [&places](const fs::path& place) {
    if (std::find(places.begin(), places.end(), place) == places.end()) {
      places.push_back(place);
    }
  };
  if (const char* value = std::getenv(variable)) {  // NOLINT(concurrency-mt-unsafe)
    std::istringstream list(value);
    std::string place;
    while (std::getline(list, place, ':')) {
      if (!place.empty()) {
        add(place);
      }
    }
  }
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    add(executable.parent_path().parent_path() / "share/srdiff" / subfolder);
  }
  add(fs::path(SRDIFF_INSTALLED_DATA) / subfolder);
  add(fs::path(SRDIFF_SOURCE_TREE) / subfolder);
  return places;
}

bool has_manifest(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "manifest.json", error);
}

fs::path first_network_folder(const std::vector<fs::path>& places, const std::string& name) {
  const auto found = std::find_if(places.begin(), places.end(), [&](const fs::path& place) {
    return has_manifest(place / name);
  });
  return found == places.end() ? fs::path() : *found / name;
}

}  // namespace srdiff
