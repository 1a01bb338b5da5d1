#pragma once

#include <cstdint>

#include "engine/cpu/simd/vector_math.h"

// The transforms of Winograd's algorithm F(4x4, 3x3) along one direction (convolution_winograd.h).

namespace srdiff::cpu::winograd {

constexpr std::int64_t side = 6;              ///< pixels of the image below a tile, a direction
constexpr std::int64_t tile_step = 4;         ///< pixels of a tile, a direction
constexpr std::int64_t points = side * side;  ///< products of each pair of channels
constexpr std::int64_t filter_side = 3;

/// The polynomials behind the transforms are evaluated at 0, ±p, ±q and infinity. With 5/8 and 3/2
/// rounding errors were half of those with the usual 1 and 2, measured; other pairs near them were
/// no better.
struct InterpolationPoints {
  static constexpr double p = 0.625;
  static constexpr double q = 1.5;
};

constexpr float to_float(double x) {
  return static_cast<float>(x);
}

/// Bᵀ d of six vectors to six, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_input(const Floats* d, Floats* result, std::int64_t step_out) {
  constexpr double p = InterpolationPoints::p;
  constexpr double q = InterpolationPoints::q;
  constexpr float pp = to_float(p * p);
  constexpr float qq = to_float(q * q);
  constexpr float product = to_float(p * p * q * q);
  constexpr float sum = to_float(p * p + q * q);
  result[0] = d[0] * product - d[2] * sum + d[4];
  const Floats even_p = d[4] - d[2] * qq;
  const Floats odd_p = (d[3] - d[1] * qq) * to_float(p);
  result[step_out] = even_p + odd_p;
  result[2 * step_out] = even_p - odd_p;
  const Floats even_q = d[4] - d[2] * pp;
  const Floats odd_q = (d[3] - d[1] * pp) * to_float(q);
  result[3 * step_out] = even_q + odd_q;
  result[4 * step_out] = even_q - odd_q;
  result[5 * step_out] = d[1] * product - d[3] * sum + d[5];
}

/// Aᵀ m of six vectors to four, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_output(const Floats* m, Floats* result, std::int64_t step_out) {
  constexpr double p = InterpolationPoints::p;
  constexpr double q = InterpolationPoints::q;
  const Floats even_p = m[1] + m[2];
  const Floats odd_p = m[1] - m[2];
  const Floats even_q = m[3] + m[4];
  const Floats odd_q = m[3] - m[4];
  result[0] = m[0] + even_p + even_q;
  result[step_out] = odd_p * to_float(p) + odd_q * to_float(q);
  result[2 * step_out] = even_p * to_float(p * p) + even_q * to_float(q * q);
  result[3 * step_out] = odd_p * to_float(p * p * p) + odd_q * to_float(q * q * q) + m[5];
}

/// G g of three vectors, `step_in` apart, to six, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_filter(const Floats* g, std::int64_t step_in, Floats* result,
                                    std::int64_t step_out) {
  constexpr double p = InterpolationPoints::p;
  constexpr double q = InterpolationPoints::q;
  constexpr double of_p = 1.0 / (2.0 * p * p * (p * p - q * q));
  constexpr double of_q = 1.0 / (2.0 * q * q * (q * q - p * p));
  const Floats& first = g[0];
  const Floats& second = g[step_in];
  const Floats& third = g[2 * step_in];
  result[0] = first * to_float(1.0 / (p * p * q * q));
  const Floats even_p = first * to_float(of_p) + third * to_float(p * p * of_p);
  const Floats odd_p = second * to_float(p * of_p);
  result[step_out] = even_p + odd_p;
  result[2 * step_out] = even_p - odd_p;
  const Floats even_q = first * to_float(of_q) + third * to_float(q * q * of_q);
  const Floats odd_q = second * to_float(q * of_q);
  result[3 * step_out] = even_q + odd_q;
  result[4 * step_out] = even_q - odd_q;
  result[5 * step_out] = third;
}

}  // namespace srdiff::cpu::winograd
