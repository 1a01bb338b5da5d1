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

/// The exit statuses of `srdiff compare`, in the manner of OpenImageIO's idiff: how two pictures
/// differ.
enum CompareStatus {
  compare_same = 0,
  compare_within_tolerance = 1,
  compare_different = 2,
  compare_sizes_differ = 3,
  compare_failed = 4,  ///< unreadable, wrong usage, or any other failure
};
