#pragma once

#include <chrono>

namespace srdiff {

/// Adds the time that it lives to a number of seconds.
class PartTimer {
 public:
  explicit PartTimer(double& seconds) : seconds_(seconds) {}
  PartTimer(const PartTimer&) = delete;
  PartTimer& operator=(const PartTimer&) = delete;
  ~PartTimer() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace srdiff
