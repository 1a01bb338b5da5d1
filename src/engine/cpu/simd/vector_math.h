#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/cpu/simd/vector_width.h"

namespace srdiff::cpu {

// Vectors rather than loops over values: compilers make jumps of an exponential's comparisons, and
// then none of a loop over it.

template <std::int64_t Width>
using Values = typename Vector<Width>::Floats;

template <typename Of>
SRDIFF_INLINE void load(const float* x, Of& values) {
  std::memcpy(&values, x, sizeof(values));
}

template <typename Of>
SRDIFF_INLINE void store(const Of& values, float* x) {
  std::memcpy(x, &values, sizeof(values));
}

/// Each value of x with that of the lane whose number differs in the bit `Step` added to it.
template <std::int64_t Step, typename Of, int... Lane>
SRDIFF_INLINE void add_exchanged(Of& x, std::integer_sequence<int, Lane...> /*lanes*/) {
  const Of other = __builtin_shufflevector(x, x, (Lane ^ static_cast<int>(Step))...);
  x += other;
}

/// The sum of all values, in place of each: in as many steps as there are bits in a lane's number,
/// where adding one after the other waits for each.
template <std::int64_t Width, std::int64_t Step = Width / 2>
SRDIFF_INLINE void sum_lanes(Values<Width>& x) {
  if constexpr (Step > 0) {
    add_exchanged<Step>(x, std::make_integer_sequence<int, static_cast<int>(Width)>());
    sum_lanes<Width, Step / 2>(x);
  }
}

/// `limit` in place of x where `excess` is negative. By sign bits: GCC takes comparisons of vectors
/// apart into those of single values where they are wider than the processor's.
template <std::int64_t Width>
SRDIFF_INLINE void limit_where_negative(const Values<Width>& excess, float limit,
                                        Values<Width>& x) {
  using Floats = Values<Width>;
  using Integers = typename Vector<Width>::Integers;
  const Floats limits = Floats{} + limit;
  const Integers negative = reinterpret_cast<Integers>(excess) >> 31;
  x = reinterpret_cast<Floats>((negative & reinterpret_cast<Integers>(limits)) |
                               (~negative & reinterpret_cast<Integers>(x)));
}

/// The larger of two values, in place of x.
template <std::int64_t Width>
SRDIFF_INLINE void larger(const Values<Width>& other, Values<Width>& x) {
  using Floats = Values<Width>;
  using Integers = typename Vector<Width>::Integers;
  const Integers below = reinterpret_cast<Integers>(static_cast<Floats>(x - other)) >> 31;
  x = reinterpret_cast<Floats>((below & reinterpret_cast<Integers>(other)) |
                               (~below & reinterpret_cast<Integers>(x)));
}

/// e^-x in place of x, within 2 units in the last place; e^-87 where x is larger than 87, since
/// what lies beyond is no normal number, and e^87 where it is smaller than -87.
template <std::int64_t Width>
SRDIFF_INLINE void exp_of_minus(Values<Width>& x) {
  using Floats = Values<Width>;
  using Integers = typename Vector<Width>::Integers;
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float to_integer = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
  constexpr float limit = 87.0F;
  Floats minus_x = -x;
  limit_where_negative<Width>(minus_x + limit, -limit, minus_x);
  limit_where_negative<Width>(limit - minus_x, limit, minus_x);
  const Floats n = (minus_x * log2_e + to_integer) - to_integer;
  const Floats r = (minus_x - n * ln2_high) - n * ln2_low;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;  // Cephes' polynomial for expf
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
  x = p * reinterpret_cast<Floats>(exponent);
}

}  // namespace srdiff::cpu
