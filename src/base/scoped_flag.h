#pragma once

namespace srdiff {

/// Sets a flag, and gives it its earlier value back at the end of the scope.
class ScopedFlag {
 public:
  explicit ScopedFlag(bool& flag) : flag_(flag), outer_(flag) { flag = true; }
  ScopedFlag(const ScopedFlag&) = delete;
  ScopedFlag& operator=(const ScopedFlag&) = delete;
  ~ScopedFlag() { flag_ = outer_; }

 private:
  bool& flag_;
  const bool outer_;
};

}  // namespace srdiff
