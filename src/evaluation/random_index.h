#pragma once

#include <cstdint>

#include "srdiff/noise.h"

namespace srdiff {

/// Uniform random indices, the same on every run and machine.
class RandomIndex {
 public:
  explicit RandomIndex(std::uint32_t stream) : stream_(stream) {}

  /// The next number, from 0 to n − 1.
  std::int64_t below(std::int64_t n) {
    const auto words = philox4x32_10(
        {static_cast<std::uint32_t>(drawn_), static_cast<std::uint32_t>(drawn_ >> 32), stream_, 0},
        {0, 0});
    ++drawn_;
    const std::uint64_t word = (std::uint64_t{words[0]} << 32) | words[1];
    return static_cast<std::int64_t>(word % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint32_t stream_;
  std::uint64_t drawn_ = 0;
};

}  // namespace srdiff
