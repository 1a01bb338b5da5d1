#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <random>
#include <string_view>
#include <system_error>

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = ".srdiff-";
constexpr std::size_t random_characters = 6;

std::string random_name() {
  constexpr std::string_view alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::string name(prefix);
  for (std::size_t i = 0; i < random_characters; ++i) {
    name += alphabet[random() % alphabet.size()];
  }
  return name;
}

/// Creates a file that was not there, with the rights of any new file. mkstemp would make it
/// private, and the umask to undo that cannot be asked without setting it for all threads.
int create(const fs::path& folder, std::string& path) {
  int descriptor = -1;
  do {
    path = (folder / random_name()).string();
    descriptor = uninterrupted(
        [&path] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  } while (descriptor < 0 && errno == EEXIST);
  return descriptor;
}

bool has_a_name(int descriptor) {
  struct stat status = {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

void remove_if_stale(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    ::unlink(path.c_str());
  }
  ::close(descriptor);
}

}  // namespace

WriteError::WriteError(const fs::path& path, int error_number)
    : InputError(path.string() + ": cannot be written: " + error_text(error_number)),
      error_number_(error_number) {}

TemporaryFile::TemporaryFile(const fs::path& target) : target_(target) {
  do {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
    descriptor_ = create(target.parent_path(), name_);
    if (descriptor_ < 0) {
      fail(errno);
    }
    // Waits only for a process that takes the new file for a stale one and is removing it.
    uninterrupted([this] { return ::flock(descriptor_, LOCK_EX); });
  } while (!has_a_name(descriptor_));
}

TemporaryFile::~TemporaryFile() {
  if (!renamed_ && descriptor_ >= 0) {
    ::unlink(name_.c_str());
  }
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void TemporaryFile::write(const std::string& bytes) {
  if (const int error = write_all(descriptor_, bytes)) {
    fail(error);
  }
}

void TemporaryFile::rename_to_target() {
  if (uninterrupted([this] { return ::fsync(descriptor_); }) != 0 ||
      ::rename(name_.c_str(), target_.c_str()) != 0) {
    fail(errno);
  }
  renamed_ = true;
}

int TemporaryFile::release() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  return descriptor;
}

void TemporaryFile::fail(int error_number) const {
  throw WriteError(target_, error_number);
}

void remove_stale_temporary_files(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_temporary_name(entry->path().filename().string())) {
      remove_if_stale(entry->path());
    }
  }
}

bool is_temporary_name(const std::string& name) {
  return name.size() == prefix.size() + random_characters &&
         name.compare(0, prefix.size(), prefix) == 0 &&
         std::all_of(name.begin() + prefix.size(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0; });
}

int write_all(int descriptor, const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno != EINTR) {
      return errno;
    }
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  return 0;
}

std::string error_text(int error_number) {
  return std::generic_category().message(error_number);
}

}  // namespace srdiff
