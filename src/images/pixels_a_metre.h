#pragma once

#include <cmath>
#include <cstdint>

namespace srdiff {

inline constexpr double metres_an_inch = 0.0254;

/// Pixels an inch of PNG's and BMP's pixels a metre, which are rounded to a whole number. A result
/// that a whole number of pixels an inch would explain becomes that number.
inline float pixels_an_inch(std::int64_t pixels_a_metre) {
  const double exact = static_cast<double>(pixels_a_metre) * metres_an_inch;
  const double whole = std::round(exact);
  return static_cast<float>(std::abs(exact - whole) <= metres_an_inch / 2 ? whole : exact);
}

/// Pixels a metre of a resolution whose unit is the inch (2) or the centimetre (3).
inline std::int64_t pixels_a_metre(float value, int unit) {
  return std::llround(unit == 2 ? value / metres_an_inch : value * 100.0);
}

}  // namespace srdiff
