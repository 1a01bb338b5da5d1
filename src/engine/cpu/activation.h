#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {

/// Sums are kept in this many parts, so that a loop over them is one vector operation.
inline constexpr std::int64_t silu_lanes = 16;
using SiluFloats = Values<silu_lanes>;

/// 1 + e^-x in place of x.
template <std::int64_t Width>
SRDIFF_INLINE void one_plus_exp_of_minus(Values<Width>& x) {
  exp_of_minus<Width>(x);
  x += 1.0F;
}

enum class Curve { silu, sigmoid };

/// y = x / (1 + e^-x) or 1 / (1 + e^-x) of each value; y may be x. A value's result does not depend
/// on its place among the others.
template <Curve Of>
SRDIFF_INLINE void apply_curve(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += silu_lanes) {
    const std::int64_t here = std::min(silu_lanes, count - i);
    SiluFloats values{};
    if (here == silu_lanes) {  // of a size known to the compiler
      load(x + i, values);
    } else {
      std::memcpy(&values, x + i, static_cast<std::size_t>(here) * sizeof(float));
    }
    SiluFloats divisor = values;
    one_plus_exp_of_minus<silu_lanes>(divisor);
    // The exponential treats NaN as a large number; values * 0 makes it NaN again.
    const SiluFloats result = (Of == Curve::silu ? values : values * 0.0F + 1.0F) / divisor;
    if (here == silu_lanes) {
      store(result, y + i);
    } else {
      std::memcpy(y + i, &result, static_cast<std::size_t>(here) * sizeof(float));
    }
  }
}

struct Moments {
  float mean;
  float variance;
};

/// Values that are normalised before silu passes over them: few enough for the first cache.
inline constexpr std::int64_t values_at_once = 1024;

/// `values` [C], contiguous, or C times `otherwise` where there are none.
inline at::Tensor per_channel(const c10::optional<at::Tensor>& values, std::int64_t channels,
                              double otherwise) {
  return values && values->defined() ? values->contiguous() : at::full({channels}, otherwise);
}

}  // namespace srdiff::cpu
