#pragma once

#include <atomic>
#include <cstdio>

/// Standard error for what the tool itself says. It stays when QuietStderr silences the libraries.
std::FILE* user_stderr();

/// Whether a progress bar stands on the line that the next message begins.
extern std::atomic<bool> progress_bar_drawn;

/// Takes a terminal's cursor back to an empty line.
inline constexpr const char* clear_line = "\r\x1b[K";
