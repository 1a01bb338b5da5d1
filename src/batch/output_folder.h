#pragma once

#include <sys/types.h>

#include <filesystem>
#include <utility>

namespace srdiff {

/// A file or folder, wherever its names are: device and inode. Both are 0 where nothing is there.
using FileIdentity = std::pair<dev_t, ino_t>;

/// Follows links.
FileIdentity identity_of(const std::filesystem::path& path);

/// The folder that a run writes to. A run must not go on in another one of the same name: what it
/// has made so far would be missing there.
class OutputFolder {
 public:
  /// Makes the folder where it is missing. Throws WriteError.
  explicit OutputFolder(std::filesystem::path path);

  /// Whether the path still leads to the same folder.
  bool is_in_place() const { return identity_of(path_) == identity_; }

  /// Makes the folder that a file below this one needs. Throws WriteError, also where this folder
  /// itself is gone.
  void make_folder_of(const std::filesystem::path& file) const;

 private:
  std::filesystem::path path_;
  FileIdentity identity_;
};

}  // namespace srdiff
