#pragma once

#include <atomic>

/// Set by SIGINT and SIGTERM.
extern std::atomic<bool> interrupted;

/// Has SIGINT and SIGTERM set `interrupted`, once each: a second one ends the program in the
/// system's own way. A closed pipe and a file at its size limit become failed writes.
void handle_signals();

/// Returns once `interrupted` is set. For one thread.
void wait_for_interruption();
