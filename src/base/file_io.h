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

/// What a file holds that another process may be adding to: the bytes that were there when it was
/// opened. Throws as read_file does, but for a change of size.
std::string read_growing_file(const std::filesystem::path& path);

/// A file's bytes, mapped: the system's own copy, which processes share, instead of one more. For
/// files that nobody writes to in place, as model files: such a change would show here.
class MappedFile {
 public:
  /// Throws as read_file does.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::string_view bytes() const { return bytes_; }
  /// Of the file that is mapped: see `file_identity`.
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
