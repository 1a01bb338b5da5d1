#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "base/file_descriptor.h"

/// While it lives, standard error goes nowhere. The picture libraries print lines of their own
/// there about a damaged file; the user is told once, by the exception that follows.
class QuietStderr {
 public:
  QuietStderr() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
    const srdiff::FileDescriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (saved_.is_open() && nowhere.is_open()) {
      ::dup2(nowhere.number(), STDERR_FILENO);
    }
  }
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;
  ~QuietStderr() {
    if (saved_.is_open()) {
      ::dup2(saved_.number(), STDERR_FILENO);
    }
  }

 private:
  srdiff::FileDescriptor saved_;
};
