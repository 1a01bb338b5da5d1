#pragma once

#include <cmath>
#include <cstdint>

namespace srdiff {

inline constexpr double metres_an_inch = 0.0254;

/// PNG and BMP round pixels a metre to a whole number; pixels an inch that are as good as whole are
/// meant to be.
inline float pixels_an_inch(std::int64_t pixels_a_metre) {
  const double exact = static_cast<double>(pixels_a_metre) * metres_an_inch;
  const double whole = std::round(exact);
  return static_cast<float>(std::abs(exact - whole) <= metres_an_inch / 2 ? whole : exact);
}

/// Of a resolution whose unit is the inch (2) or the centimetre (3).
inline std::int64_t pixels_a_metre(float value, int unit) {
  return std::llround(unit == 2 ? value / metres_an_inch : value * 100.0);
}

}  // namespace srdiff
