#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include "base/file_descriptor.h"

// Standard input, output and error of the process. The launcher uses this file too: it includes
// neither LibTorch nor CLI11.

/// Puts /dev/null in the place of each standard stream that the caller closed, so that no file
/// opened later becomes one. Reading that input and writing that output fail, as on a closed one.
/// To be called before any file is opened.
void fill_closed_streams();

/// What a descriptor gives to its end, or to one byte more than `max_bytes`, so that the reader of
/// these bytes sees that they are too many. `name` is what messages call it. Throws InputError, and
/// Cancelled when it is interrupted.
std::string read_to_end(int descriptor, const std::string& name,
                        std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max() - 1);

/// read_to_end of standard input.
std::string read_standard_input(std::int64_t max_bytes);

/// Writes all of `bytes`, past std::cout, which goes on waiting for a reader after a signal. Where
/// it fails or is interrupted std::cout is bad.
void write_standard_output(const std::string& bytes);

/// Whether people would see what is written there: a picture's bytes make no sense to them.
bool is_terminal(std::FILE* stream);

/// Standard error for what the tool itself says. It stays when QuietStderr silences the libraries.
std::FILE* user_stderr();

/// Whether a progress bar stands on the line that the next message begins.
extern std::atomic<bool> progress_bar_drawn;

/// Takes a terminal's cursor back to an empty line.
inline constexpr const char* clear_line = "\r\x1b[K";

/// While it lives, standard error goes nowhere. The picture libraries print lines of their own
/// there about a damaged file; the user is told once, by the exception that follows.
class QuietStderr {
 public:
  QuietStderr();
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;
  ~QuietStderr();

 private:
  srdiff::FileDescriptor saved_;
};
