#include "file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

std::string reason(int error_number) {
  return std::generic_category().message(error_number);
}

/// A temporary file that is gone again unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target)
      : target_(target), name_((target.parent_path() / ".srdiff-XXXXXX").string()) {
    descriptor_ = ::mkostemp(name_.data(), O_CLOEXEC);
    if (descriptor_ < 0) {
      fail(errno);
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
    if (!renamed_ && !name_.empty()) {
      ::unlink(name_.c_str());
    }
  }

  void write(const std::string& bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t count = ::write(descriptor_, bytes.data() + written, bytes.size() - written);
      if (count < 0 && errno != EINTR) {
        fail(errno);
      }
      written += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
  }

  void rename_to_target() {
    // mkstemp makes the file private; a picture gets the rights that any new file would.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(descriptor_, 0666 & ~mask) != 0 || ::fsync(descriptor_) != 0) {
      fail(errno);
    }
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0 || ::rename(name_.c_str(), target_.c_str()) != 0) {
      fail(errno);
    }
    renamed_ = true;
  }

 private:
  [[noreturn]] void fail(int error_number) const {
    throw InputError(target_.string() + ": cannot be written: " + reason(error_number));
  }

  fs::path target_;
  std::string name_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace

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
    throw InputError(path.string() + ": cannot be read: " + reason(errno));
  }
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) {
    throw InputError(path.string() + ": cannot be read: " + reason(errno));
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

}  // namespace srdiff
