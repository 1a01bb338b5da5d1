#pragma once

namespace srdiff {

/// Sets the threads that evaluations by the calling thread use, and puts back their count at its
/// end. Nothing else of the process changes, as it does by set_threads (srdiff/device.h).
class ScopedThreads {
 public:
  explicit ScopedThreads(int count);
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;
  ~ScopedThreads();

 private:
  int before_;
};

}  // namespace srdiff
