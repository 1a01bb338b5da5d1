#include "file_bytes.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "srdiff/error.h"
#include "temporary_file.h"

namespace srdiff {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw InputError(path.string() + ": no such file");
  }
  if (fs::is_directory(status)) {
    throw InputError(path.string() + ": is a folder, not a picture; give one file");
  }
  if (error || !fs::is_regular_file(status)) {
    throw InputError(path.string() + ": is not a regular file; use - to read a pipe");
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw InputError(path.string() + ": cannot be read: " + error_text(errno));
  }
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) {
    throw InputError(path.string() + ": cannot be read: " + error_text(errno));
  }
  return bytes;
}

void write_file_atomically(const fs::path& path, const std::string& bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    // Renaming over it would replace a device or a pipe by a picture.
    throw InputError(path.string() + ": cannot be written: it is not a regular file");
  }
  TemporaryFile file(path);
  file.write(bytes);
  file.rename_to_target();
}

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

}  // namespace srdiff
