#pragma once

#include <chrono>
#include <functional>
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
  /// behind the bar's figures; the second is said once, with the time that it will take, if that is
  /// more than a minute. Of a folder the name comes with its pictures.
  void begin(const std::string& name, std::string work);
  /// Network calls of one picture.
  void update(const srdiff::UpscaleProgress& progress);
  /// `unit` is what is counted, such as "pictures".
  void update(std::int64_t done, std::int64_t total, const char* unit);
  /// What the networks of a folder run are at.
  void update(const srdiff::BatchWork& work, const srdiff::BatchProgress& pictures);
  /// A picture of a folder has ended.
  void update(const srdiff::BatchProgress& pictures);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due(Clock::time_point now) const;
  void show(double fraction, const std::function<std::string(double elapsed_seconds)>& figures);
  void draw(double fraction, const std::string& figures);
  void tell_long_run(double done_fraction, double elapsed_seconds);

  bool quiet_;
  bool terminal_;
  Clock::time_point start_ = Clock::now();
  std::string name_;
  std::string work_;        ///< empty once it was told
  double computed_ = 0.0;   ///< BatchWork::computed
  Clock::time_point last_;  ///< when it was last shown
};
