#include "cache_folder.h"

#include <cstdlib>

namespace fs = std::filesystem;

namespace {

/// What an environment variable names, if that is an absolute path. The XDG Base Directory
/// Specification has relative ones ignored.
fs::path absolute_path_in(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  const fs::path path = value == nullptr ? fs::path() : fs::path(value);
  return path.is_absolute() ? path : fs::path();
}

}  // namespace

fs::path cache_file(const std::string& name) {
  const fs::path caches = absolute_path_in("XDG_CACHE_HOME");
  const fs::path home = absolute_path_in("HOME");
  if (caches.empty() && home.empty()) {
    return {};
  }
  return (caches.empty() ? home / ".cache" : caches) / "srdiff" / name;
}
