#include "srdiff/schedule.h"

#include <cmath>
#include <stdexcept>

#include "srdiff/error.h"

namespace srdiff {

Schedule Schedule::linear(int T, double beta_start, double beta_end) {
  if (T < 1 || !(beta_start > 0) || !(beta_end >= beta_start) || !(beta_end < 1)) {
    throw UsageError("a linear noise schedule needs T >= 1 and 0 < beta_start <= beta_end < 1");
  }
  Schedule schedule;
  schedule.beta_.assign(index(T) + 1, 0.0);
  schedule.alpha_bar_.assign(index(T) + 1, 1.0);
  for (int t = 1; t <= T; ++t) {
    const double fraction = T == 1 ? 0.0 : static_cast<double>(t - 1) / (T - 1);
    schedule.beta_[index(t)] = beta_start + fraction * (beta_end - beta_start);
    schedule.alpha_bar_[index(t)] =
        schedule.alpha_bar_[index(t - 1)] * (1.0 - schedule.beta_[index(t)]);
  }
  return schedule;
}

double Schedule::beta(int t) const {
  if (t < 1) {
    throw std::out_of_range("beta is defined for t in 1...T");
  }
  return beta_.at(index(t));
}

double Schedule::noise_level(int t) const {
  return std::sqrt(alpha_bar(t));
}

double Schedule::sigma(int t) const {
  return std::sqrt(1.0 - alpha_bar(t));
}

double Schedule::half_log_snr(int t) const {
  if (t < 1) {
    throw std::out_of_range("the signal-to-noise ratio is infinite at t = 0");
  }
  const double a = alpha_bar(t);
  return 0.5 * (std::log(a) - std::log1p(-a));
}

double Schedule::posterior_variance(int t) const {
  return beta(t) * (1.0 - alpha_bar(t - 1)) / (1.0 - alpha_bar(t));
}

}  // namespace srdiff
