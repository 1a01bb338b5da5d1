#pragma once

#include <functional>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "engine/scoped_threads.h"

namespace srdiff {

/// Threads beside the one that runs the networks. They begin when all that were started are there:
/// LibTorch's number of threads is set anew in each of them, and must be the networks' again before
/// the first picture comes.
class BatchThreads {
 public:
  BatchThreads();
  BatchThreads(const BatchThreads&) = delete;
  BatchThreads& operator=(const BatchThreads&) = delete;
  ~BatchThreads();

  /// Starts up to `most` threads that will each run `loop`. Returns how many the system has given.
  int start(const std::function<void()>& loop, int most);

  /// Lets the threads run, or, where `enough` is false, end at once; then the result is what the
  /// system said when it refused a thread.
  std::optional<std::system_error> begin(bool enough);

  /// Waits until all have ended.
  void join();

 private:
  /// Where LibTorch brings its own OpenMP, the threads may change the count of the one that starts
  /// them.
  std::optional<ScopedThreads> kept_;
  std::promise<bool> decided_;
  std::shared_future<bool> begins_;
  std::vector<std::thread> threads_;
  std::vector<std::future<void>> ready_;
  std::optional<std::system_error> refusal_;
  bool begun_ = false;
};

}  // namespace srdiff
