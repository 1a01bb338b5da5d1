#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/bounded_queue.h"
#include "batch/batch_account.h"
#include "batch/batch_job.h"

namespace srdiff {

/// Upscales the decoded pictures of a folder, those of one size together, in one thread.
class BatchNetworks {
 public:
  /// `account` and the queues must outlive it.
  BatchNetworks(const BatchPlan& plan, BatchAccount& account, BoundedQueue<BatchJob>& decoded,
                BoundedQueue<BatchJob>& computed)
      : plan_(plan), account_(account), decoded_(decoded), computed_(computed) {}

  /// Takes decoded pictures until no more will come, and drops them once the run is stopped.
  void run();

  /// Share of the time from the start of the first network call to the end of the last that was
  /// spent in network calls; 0 without any.
  double busy_share() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Group = std::vector<BatchJob>;

  void compute(Group group);
  void compute_each(Group& group);
  void upscale(Group& group);
  UpscaleObserver observer_of(const BatchJob& first, std::size_t before,
                              std::size_t together) const;
  void upscale_into_files(Group& group) const;
  void upscale_together(Group& group) const;
  void hand_on(Group& group, Clock::time_point start, Clock::time_point end);

  const BatchPlan& plan_;
  BatchAccount& account_;
  BoundedQueue<BatchJob>& decoded_;
  BoundedQueue<BatchJob>& computed_;
  std::optional<Clock::time_point> first_call_;
  Clock::time_point last_call_end_;
  double busy_seconds_ = 0.0;
  std::size_t computed_count_ = 0;
  std::size_t kept_count_ = 0;  ///< computed since memory was returned to the system
};

}  // namespace srdiff
