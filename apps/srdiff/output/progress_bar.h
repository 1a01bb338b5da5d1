#pragma once

#include <chrono>
#include <string>

#include "batch/image_report.h"
#include "srdiff/upscaler.h"

/// Progress on standard error: one line drawn over on a terminal, a plain line every few seconds
/// in a log.
class ProgressBar {
 public:
  explicit ProgressBar(bool quiet);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// Clears the bar, so that what is printed next starts on a clean line.
  ~ProgressBar();

  /// What is being done, "photo.jpg" and "photo.jpg: 48 tiles of 4 evaluations": the first stands
  /// before the bar's figures; the second is said once, with the time that it will take, if that is
  /// more than a minute.
  void begin(std::string name, std::string work);
  /// Evaluations of one picture.
  void update(const srdiff::UpscaleProgress& progress);
  /// `unit` is what is counted, such as "pictures".
  void update(std::int64_t done, std::int64_t total, const char* unit);
  /// Pictures of a folder.
  void update(const srdiff::BatchProgress& progress);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due(Clock::time_point now) const;
  void show(const std::string& cells, const std::string& figures);
  void tell_long_run(double done_fraction, double elapsed_seconds);

  bool quiet_;
  bool terminal_;
  Clock::time_point start_ = Clock::now();
  std::string name_;
  std::string work_;        ///< empty once it was told
  Clock::time_point last_;  ///< when it was last shown
};
