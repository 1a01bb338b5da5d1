#pragma once

#include <atomic>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "batch/batch_job.h"
#include "batch/report.h"

namespace srdiff {

/// What the threads of a folder run tell: which pictures have ended and how, and why the run is to
/// stop early. All members may be called from several threads.
class BatchAccount {
 public:
  /// Throws as ReportFile does.
  explicit BatchAccount(const BatchPlan& plan);

  /// Whether the run is to stop; asks the observer.
  bool stopped();
  /// Asks for a stop. The first reason counts.
  void stop(BatchSummary::Stop why, const std::string& reason = "");
  /// Whether nothing more can be written.
  bool storage_failed() const { return storage_failed_; }

  /// The networks have come so far.
  void tell_work(const BatchWork& work);
  /// A picture has ended.
  void finish(const ImageReport& report);
  void fail(const std::filesystem::path& input, const std::filesystem::path& output,
            std::string reason);

  /// Runs one step of a picture's way, or of the run where `item` is null. What goes wrong is that
  /// picture's failure where it can be, and else ends the run.
  void guard(const WorkItem* item, const std::function<void()>& step);
  /// Treats the exception in flight as guard does.
  void fail_or_give_up(const WorkItem* item);

  /// Throws what ended the run where it was no picture's failure.
  void rethrow_failure() const;

  /// The summary, once all threads have ended.
  BatchSummary result(double compute_busy);

 private:
  std::optional<std::string> picture_failure() const;
  void give_up();

  const BatchPlan& plan_;
  ReportFile report_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> storage_failed_ = false;
  std::mutex mutex_;  ///< for what follows
  BatchSummary summary_;
  std::exception_ptr failure_;
};

}  // namespace srdiff
