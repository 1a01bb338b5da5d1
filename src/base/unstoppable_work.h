#pragma once

#include <atomic>

namespace srdiff {

/// Stands for work that cannot be told to stop: a library that decodes one picture. A program that
/// has to end soon may ask whether such work goes on, and end without waiting for it.
class UnstoppableWork {
 public:
  UnstoppableWork() { ++going_on; }
  UnstoppableWork(const UnstoppableWork&) = delete;
  UnstoppableWork& operator=(const UnstoppableWork&) = delete;
  ~UnstoppableWork() { --going_on; }

  /// Whether any goes on, in whichever thread.
  static bool goes_on() { return going_on > 0; }

 private:
  inline static std::atomic<int> going_on = 0;
};

}  // namespace srdiff
