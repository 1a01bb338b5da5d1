#pragma once

/// The exit statuses that a script can rely on.
enum ExitStatus {
  exit_ok = 0,
  exit_input_failed = 1,
  exit_usage = 2,
  exit_golden_missed = 3,
  exit_model_unusable = 4,
  exit_interrupted = 130,
};
