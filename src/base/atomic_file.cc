#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = ".srdiff-tmp-";
constexpr std::size_t random_digits = 16;  // a name that nobody chooses for a file of their own

/// The temporary files of this process that have not got their final name.
struct OwnFiles {
  std::mutex mutex;
  std::set<std::string> names;
};

OwnFiles& own_files() {
  static OwnFiles& files = *new OwnFiles;  // for whoever ends the process while others write
  return files;
}

void note_own_file(const std::string& name, bool exists) {
  OwnFiles& files = own_files();
  const std::lock_guard lock(files.mutex);
  if (exists) {
    files.names.insert(name);
  } else {
    files.names.erase(name);
  }
}

std::string random_name() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string name(prefix);
  for (std::size_t i = 0; i < random_digits; ++i) {
    name += digits[random() % digits.size()];
  }
  return name;
}

/// Creates a file that was not there, with the access rights of any new file. mkstemp would make
/// the file private, and widening its rights again would need the umask, which can only be read by
/// setting it for all threads.
FileDescriptor create(const fs::path& folder, std::string& path) {
  FileDescriptor file;
  do {
    path = (folder / random_name()).string();
    file = FileDescriptor(uninterrupted(
        [&path] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
  } while (!file.is_open() && errno == EEXIST);
  return file;
}

bool has_a_name(int descriptor) {
  struct stat status = {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

void remove_if_stale(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.is_open() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) {
    ::unlink(path.c_str());
  }
}

}  // namespace

WriteError::WriteError(const fs::path& path, int error_number)
    : InputError(path.string() + ": cannot be written: " + error_text(error_number)),
      error_number_(error_number) {}

AtomicFile::AtomicFile(const fs::path& target) : target_(target) {
  do {
    file_ = create(target.parent_path(), name_);
    if (!file_.is_open()) {
      fail(errno);
    }
    // Waits only for a process that mistakes the new file for a stale one and is removing it.
    uninterrupted([this] { return ::flock(file_.number(), LOCK_EX); });
  } while (!has_a_name(file_.number()));
  note_own_file(name_, true);
}

AtomicFile::~AtomicFile() {
  note_own_file(name_, false);
  if (!renamed_ && file_.is_open()) {
    ::unlink(name_.c_str());
  }
}

void AtomicFile::write(const std::string& bytes) {
  if (const int error = write_all(file_.number(), bytes)) {
    fail(error);
  }
}

void AtomicFile::rename_to_target() {
  if (uninterrupted([this] { return ::fsync(file_.number()); }) != 0 ||
      ::rename(name_.c_str(), target_.c_str()) != 0) {
    fail(errno);
  }
  renamed_ = true;
  note_own_file(name_, false);
}

FileDescriptor AtomicFile::release() {
  return std::move(file_);
}

void AtomicFile::fail(int error_number) const {
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

void remove_own_temporary_files() {
  OwnFiles& files = own_files();
  const std::lock_guard lock(files.mutex);
  for (const std::string& name : files.names) {
    ::unlink(name.c_str());
  }
}

bool is_temporary_name(const std::string& name) {
  return name.size() == prefix.size() + random_digits &&
         name.compare(0, prefix.size(), prefix) == 0 &&
         std::all_of(name.begin() + prefix.size(), name.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f');
         });
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
