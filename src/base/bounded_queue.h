#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace srdiff {

/// A queue between threads. A thread that pushes waits while the queue holds too many values or too
/// many bytes. A value that is larger than the queue's room is pushed once the queue is empty.
/// Threads push in the order in which they began to wait: otherwise a stream of small values could
/// keep a large one waiting for ever.
template <typename Value>
class BoundedQueue {
 public:
  BoundedQueue(std::size_t max_values, std::size_t max_bytes)
      : max_values_(max_values), max_bytes_(max_bytes) {}

  /// Waits for room.
  void push(Value value, std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const std::uint64_t place = next_place_++;
    room_.wait(lock, [&] {
      const bool fits =
          values_.empty() || (values_.size() < max_values_ && bytes_ + bytes <= max_bytes_);
      return place == served_ && fits;
    });
    ++served_;
    bytes_ += bytes;
    values_.emplace_back(std::move(value), bytes);
    filled_.notify_one();
    room_.notify_all();  // the next in line
  }

  /// Waits for a value; nothing once the queue is closed and empty.
  std::optional<Value> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !values_.empty(); });
    if (values_.empty()) {
      return std::nullopt;
    }
    std::optional<Value> value(std::move(values_.front().first));
    bytes_ -= values_.front().second;
    values_.pop_front();
    room_.notify_all();
    return value;
  }

  /// No more values will come.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    filled_.notify_all();
  }

 private:
  const std::size_t max_values_;
  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable filled_;
  std::deque<std::pair<Value, std::size_t>> values_;
  std::size_t bytes_ = 0;
  std::uint64_t next_place_ = 0;  ///< in the line of those that push
  std::uint64_t served_ = 0;
  bool closed_ = false;
};

}  // namespace srdiff
