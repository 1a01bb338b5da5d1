#pragma once

#include <array>
#include <cstdint>

namespace srdiff {

/// The constants of Philox4x32-10 (see philox4x32_10 in srdiff/noise.h).
struct Philox {
  static constexpr int rounds = 10;
  static constexpr std::array<std::uint32_t, 2> multipliers = {0xD2511F53, 0xCD9E8D57};
  static constexpr std::array<std::uint32_t, 2> increments = {0x9E3779B9, 0xBB67AE85};
};

/// For the angle of Box and Muller's transform of its words.
inline constexpr double pi = 3.14159265358979323846;

}  // namespace srdiff
