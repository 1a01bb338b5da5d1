#pragma once

#include <cerrno>
#include <filesystem>
#include <string>

#include "base/file_descriptor.h"
#include "srdiff/error.h"

namespace srdiff {

/// A file that cannot be written, with the system's error number.
class WriteError : public InputError {
 public:
  WriteError(const std::filesystem::path& path, int error_number);
  int error_number() const { return error_number_; }

 private:
  int error_number_;
};

/// A file `.srdiff-tmp-` and 16 hexadecimal digits beside `target` that is gone again unless it was
/// renamed into place. The writing process holds a lock on it (flock), so that a file that
/// can be locked is stale. All members throw WriteError.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const std::string& bytes);
  /// Flushes to the disk, then takes the target's name.
  void rename_to_target();
  /// The open file with its lock.
  FileDescriptor release();

 private:
  [[noreturn]] void fail(int error_number) const;

  std::filesystem::path target_;
  std::string name_;
  FileDescriptor file_;
  bool renamed_ = false;
};

/// Removes the temporary files in `folder` (not below it) whose writers were killed. Those of a
/// living process stay, as do those on a file system without locks.
void remove_stale_temporary_files(const std::filesystem::path& folder);

/// Removes the temporary files of this process, for one that ends without its destructors. An
/// AtomicFile that is being made at that moment may stay.
void remove_own_temporary_files();

/// Whether a file has the name of an AtomicFile.
bool is_temporary_name(const std::string& name);

/// Appends all of `bytes`. Returns the system's error number, 0 for none.
int write_all(int descriptor, const std::string& bytes);

/// What a system call returns when no signal ends it early.
template <typename Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

/// The system's words for an error number.
std::string error_text(int error_number);

}  // namespace srdiff
