#include "standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <iostream>
#include <system_error>

#include "interruption.h"
#include "srdiff/error.h"

std::atomic<bool> progress_bar_drawn = false;

void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) {
      // open takes the lowest number that is free, which is this one.
      ::open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
    }
  }
}

std::string read_to_end(int descriptor, const std::string& name, std::int64_t max_bytes) {
  constexpr std::size_t step = std::size_t{1} << 16;
  const std::size_t limit = static_cast<std::size_t>(max_bytes) + 1;
  std::string bytes;
  while (bytes.size() < limit) {
    if (interrupted) {
      throw srdiff::Cancelled();
    }
    const std::size_t before = bytes.size();
    bytes.resize(std::min(limit, before + step));
    const ssize_t got = ::read(descriptor, bytes.data() + before, bytes.size() - before);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    if (got == 0) {
      break;
    }
    if (got < 0 && error != EINTR) {
      throw srdiff::InputError(name +
                               ": cannot be read: " + std::generic_category().message(error));
    }
  }
  return bytes;
}

std::string read_standard_input(std::int64_t max_bytes) {
  return read_to_end(STDIN_FILENO, "standard input", max_bytes);
}

void write_standard_output(const std::string& bytes) {
  std::cout.flush();
  for (std::size_t done = 0; std::cout && done < bytes.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
    done += static_cast<std::size_t>(std::max<ssize_t>(0, count));
    if ((count < 0 && errno != EINTR) || (interrupted && done < bytes.size())) {
      std::cout.setstate(std::ios::badbit);
    }
  }
}

bool is_terminal(std::FILE* stream) {
  return ::isatty(::fileno(stream)) == 1;
}

std::FILE* user_stderr() {
  static std::FILE* const stream = [] {
    const int descriptor = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    std::FILE* const opened = descriptor >= 0 ? ::fdopen(descriptor, "w") : nullptr;
    return opened != nullptr ? opened : stderr;
  }();
  return stream;
}

QuietStderr::QuietStderr() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
  const srdiff::FileDescriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (saved_.is_open() && nowhere.is_open()) {
    ::dup2(nowhere.number(), STDERR_FILENO);
  }
}

QuietStderr::~QuietStderr() {
  if (saved_.is_open()) {
    ::dup2(saved_.number(), STDERR_FILENO);
  }
}
