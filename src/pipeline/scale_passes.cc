#include "pipeline/scale_passes.h"

#include <cmath>
#include <cstdint>
#include <numeric>

namespace srdiff {

int pass_count(double scale, int model_scale) {
  int count = 1;
  for (double reached = model_scale; reached < scale && model_scale > 1; reached *= model_scale) {
    ++count;
  }
  return count;
}

ResizeRatio ratio_to_scale(double scale, int model_scale) {
  constexpr std::int64_t parts = 1000;
  const auto reached = static_cast<std::int64_t>(
      std::llround(std::pow(model_scale, pass_count(scale, model_scale))));
  const auto wanted = static_cast<std::int64_t>(std::llround(scale * parts));
  const std::int64_t divisor = std::gcd(wanted, reached * parts);
  return {wanted / divisor, reached * parts / divisor};
}

}  // namespace srdiff
