#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace srdiff {

/// Takes the next rows [1,C,n,W] of a picture, from top to bottom.
using RowSink = std::function<void(const at::Tensor& rows)>;

/// A band of rows [1,C,rows,W] that moves down a picture: rows are appended below and dropped
/// above.
class RowBuffer {
 public:
  /// Rows appended so far, those dropped included.
  std::int64_t end() const { return end_; }

  void append(const at::Tensor& rows) {
    chunks_.push_back({end_, rows});
    end_ += rows.size(2);
  }

  /// Rows first <= y < last; none of them dropped yet.
  at::Tensor rows(std::int64_t first, std::int64_t last) const {
    return window(first, last, 0, chunks_.front().rows.size(3));
  }

  /// These rows between the columns left <= x < right.
  at::Tensor window(std::int64_t first, std::int64_t last, std::int64_t left,
                    std::int64_t right) const {
    std::vector<at::Tensor> parts;
    for (const Chunk& chunk : chunks_) {
      const std::int64_t from = std::max(first, chunk.top);
      const std::int64_t to = std::min(last, chunk.end());
      if (from < to) {
        parts.push_back(
            chunk.rows.slice(2, from - chunk.top, to - chunk.top).slice(3, left, right));
      }
    }
    return parts.size() == 1 ? parts.front() : at::cat(parts, 2);
  }

  /// Lets go of what lies above row `first`, a chunk at a time.
  void drop_before(std::int64_t first) {
    while (!chunks_.empty() && chunks_.front().end() <= first) {
      chunks_.pop_front();
    }
  }

 private:
  struct Chunk {
    std::int64_t top;
    at::Tensor rows;

    std::int64_t end() const { return top + rows.size(2); }
  };

  std::deque<Chunk> chunks_;
  std::int64_t end_ = 0;
};

}  // namespace srdiff
