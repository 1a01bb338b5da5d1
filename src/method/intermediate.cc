#include "srdiff/intermediate.h"

#include <ATen/ATen.h>

#include <string>

#include "srdiff/error.h"

namespace srdiff {

at::Tensor intermediate_state(const Schedule& schedule, int t, const at::Tensor& x_sr,
                              const at::Tensor& weight_map, double beta, const at::Tensor& eps,
                              const at::Tensor& mask) {
  if (t < 0 || t > schedule.steps()) {
    throw UsageError("t = " + std::to_string(t) + " is outside the schedule; give 0 to " +
                     std::to_string(schedule.steps()));
  }
  if (!(beta >= 0.0 && beta <= 1.0)) {
    throw UsageError("beta = " + std::to_string(beta) + " is outside 0 to 1");
  }
  const at::Tensor signal = x_sr * schedule.noise_level(t);
  const at::Tensor noise = mask.defined() ? eps * mask : eps;
  if (!weight_map.defined()) {
    return signal + noise * (beta * schedule.sigma(t));
  }
  return signal + (weight_map + beta).clamp(0.0, 1.0) * noise * schedule.sigma(t);
}

}  // namespace srdiff
