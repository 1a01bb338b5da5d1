#include "standard_streams.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <system_error>

#include "commands/commands.h"
#include "srdiff/error.h"

std::string read_standard_input(std::int64_t max_bytes) {
  constexpr std::size_t step = std::size_t{1} << 16;
  const std::size_t limit = static_cast<std::size_t>(max_bytes) + 1;
  std::string bytes;
  while (bytes.size() < limit) {
    if (interrupted) {
      throw srdiff::Cancelled();
    }
    const std::size_t before = bytes.size();
    bytes.resize(std::min(limit, before + step));
    const ssize_t got = ::read(STDIN_FILENO, bytes.data() + before, bytes.size() - before);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    if (got == 0) {
      break;
    }
    if (got < 0 && error != EINTR) {
      throw srdiff::InputError("standard input: cannot be read: " +
                               std::generic_category().message(error));
    }
  }
  return bytes;
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
