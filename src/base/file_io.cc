#include "base/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/file_descriptor.h"
#include "base/known_digests.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

std::string identity_of(const struct stat& file) {
  const auto time = [](const timespec& of) {
    return std::to_string(of.tv_sec) + "." + std::to_string(of.tv_nsec);
  };
  return std::to_string(file.st_dev) + " " + std::to_string(file.st_ino) + " " +
         std::to_string(file.st_size) + " " + time(file.st_mtim) + " " + time(file.st_ctim);
}

/// A regular file that is open for reading.
class InputFile {
 public:
  explicit InputFile(const fs::path& path) : path_(path), file_(open_regular()) {
    require_regular(status());  // the name can have got another file meanwhile
  }

  std::int64_t size() const { return status().st_size; }

  std::string identity() const { return identity_of(status()); }

  /// Up to `count` bytes from the start; fewer where the file ends earlier.
  std::size_t read(char* bytes, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
      const ssize_t got = ::read(file_.number(), bytes + done, count - done);
      if (got == 0) {
        break;
      }
      if (got < 0 && errno != EINTR) {
        fail(errno);
      }
      done += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return done;
  }

 private:
  /// Looks at the file before it is opened: opening a device can have effects, and opening a pipe
  /// waits until somebody writes to it.
  FileDescriptor open_regular() const {
    struct stat found {};
    if (::stat(path_.c_str(), &found) != 0) {
      fail(errno);
    }
    require_regular(found);
    FileDescriptor file(uninterrupted(
        [this] { return ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
    if (!file.is_open()) {
      fail(errno);
    }
    return file;
  }

  void require_regular(const struct stat& found) const {
    if (S_ISDIR(found.st_mode)) {
      throw InputError(path_.string() + ": is a folder; give one file");
    }
    if (!S_ISREG(found.st_mode)) {
      throw InputError(path_.string() + ": is not a regular file; use - to read a pipe");
    }
  }

  struct stat status() const {
    struct stat found {};
    if (::fstat(file_.number(), &found) != 0) {
      fail(errno);
    }
    return found;
  }

  [[noreturn]] void fail(int error_number) const {
    throw InputError(path_.string() + (error_number == ENOENT
                                           ? ": no such file"
                                           : ": cannot be read: " + error_text(error_number)));
  }

  const fs::path& path_;
  FileDescriptor file_;
};

std::int64_t size_within(const InputFile& file, const fs::path& path, std::int64_t max_bytes) {
  const std::int64_t size = file.size();
  if (size > max_bytes) {
    throw InputError(path.string() + ": is larger than the " + std::to_string(max_bytes) +
                     " bytes allowed");
  }
  return size;
}

std::string changed(const fs::path& path) {
  return path.string() + ": changed while it was read; try again when it is complete";
}

}  // namespace

std::string read_file(const fs::path& path, std::int64_t max_bytes) {
  const InputFile file(path);
  const std::int64_t expected = size_within(file, path, max_bytes);
  std::string bytes(static_cast<std::size_t>(expected), '\0');
  if (file.read(bytes.data(), bytes.size()) != bytes.size() || file.size() != expected) {
    throw InputError(changed(path));
  }
  return bytes;
}

std::string read_growing_file(const fs::path& path) {
  const InputFile file(path);
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  bytes.resize(file.read(bytes.data(), bytes.size()));
  return bytes;
}

std::string file_identity(const fs::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? identity_of(found) : "";
}

LargeFile::LargeFile(const fs::path& path, std::int64_t max_bytes) {
  const InputFile file(path);
  identity_ = file.identity();
  const auto length = static_cast<std::size_t>(size_within(file, path, max_bytes));
  if (length == 0) {
    return;
  }
  void* const start = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (start == MAP_FAILED) {
    throw MemoryError(path.string() + ": not enough memory to read it");
  }
  bytes_ = {static_cast<const char*>(start), length};
  try {
    if (file.read(static_cast<char*>(start), length) != length || file.identity() != identity_) {
      throw InputError(changed(path));
    }
  } catch (...) {
    ::munmap(start, length);
    throw;
  }
}

LargeFile::LargeFile(LargeFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), identity_(std::move(other.identity_)) {}

LargeFile& LargeFile::operator=(LargeFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(identity_, other.identity_);
  return *this;
}

LargeFile::~LargeFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
}

void write_file_atomically(const fs::path& path, const std::string& bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    // Renaming the temporary file would replace a device or a pipe by a regular file.
    throw InputError(path.string() + ": cannot be written: it is not a regular file");
  }
  AtomicFile file(path);
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
