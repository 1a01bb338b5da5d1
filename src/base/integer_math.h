#pragma once

#include <cstdint>

namespace srdiff {

/// value / divisor, rounded up; both are positive.
constexpr std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// The smallest multiple of `multiple` that is not below `value`.
constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return divide_up(value, multiple) * multiple;
}

}  // namespace srdiff
