#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

namespace srdiff {

/// The whole file. Throws InputError "PATH: reason" when it is missing, no regular file, larger
/// than `max_bytes`, cannot be read, or changes its size meanwhile. Never waits for a pipe or a
/// device.
std::string read_file(const std::filesystem::path& path,
                      std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max());

/// The bytes that a file held when it was opened, for a file to which another process may be
/// adding. Throws as read_file does, except that a change of size is no error.
std::string read_growing_file(const std::filesystem::path& path);

/// The bytes of a large file in memory of their own, which is given back to the system with them.
/// (A mapping of the file would change when the file is written to, and a file that is cut while it
/// is mapped ends the process.)
class LargeFile {
 public:
  /// Throws as read_file does, and where the file is written to meanwhile.
  explicit LargeFile(const std::filesystem::path& path,
                     std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max());
  LargeFile(const LargeFile&) = delete;
  LargeFile& operator=(const LargeFile&) = delete;
  LargeFile(LargeFile&& other) noexcept;
  LargeFile& operator=(LargeFile&& other) noexcept;
  ~LargeFile();

  std::string_view bytes() const { return bytes_; }
  /// Of the file that was read: see `file_identity`.
  const std::string& identity() const { return identity_; }

 private:
  std::string_view bytes_;
  std::string identity_;
};

/// Writes through a temporary file beside `path`, flushed to the disk and then renamed, so that
/// `path` holds either what it held before or all of `bytes`.
/// Throws InputError "PATH: reason"; no temporary file is left.
void write_file_atomically(const std::filesystem::path& path, const std::string& bytes);

/// The ending of a file's name with its dot: ".png" for "A.PNG".
std::string lower_case_extension(const std::filesystem::path& path);

}  // namespace srdiff
