#include "batch/output_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "base/atomic_file.h"

namespace srdiff {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw WriteError(folder, error.value());
  }
}

}  // namespace

FileIdentity identity_of(const fs::path& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? FileIdentity{status.st_dev, status.st_ino}
                                            : FileIdentity{};
}

OutputFolder::OutputFolder(fs::path path) : path_(std::move(path)) {
  make_folder(path_);
  identity_ = identity_of(path_);
}

void OutputFolder::make_folder_of(const fs::path& file) const {
  if (!is_in_place()) {
    throw WriteError(path_, ENOENT);
  }
  make_folder(file.parent_path());
}

}  // namespace srdiff
