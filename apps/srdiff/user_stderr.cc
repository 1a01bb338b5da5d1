#include "user_stderr.h"

#include <fcntl.h>
#include <unistd.h>

std::atomic<bool> progress_bar_drawn = false;

std::FILE* user_stderr() {
  static std::FILE* const stream = [] {
    const int descriptor = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    std::FILE* const opened = descriptor >= 0 ? ::fdopen(descriptor, "w") : nullptr;
    return opened != nullptr ? opened : stderr;
  }();
  return stream;
}
