#include "srdiff/step_grid.h"

#include <algorithm>
#include <cmath>

#include "base/enum_words.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr EnumWords<GridSpacing, 3> spacing_words = {"the step grid",
                                                     {{{GridSpacing::uniform, "uniform"},
                                                       {GridSpacing::quadratic, "quadratic"},
                                                       {GridSpacing::logsnr, "logsnr"}}}};

int round_half_up(double value) {
  return static_cast<int>(std::floor(value + 0.5));
}

/// The step in 1…t whose λ is nearest to `target`; λ falls as t grows.
int nearest_step(const Schedule& schedule, double target, int t) {
  int low = 1;
  int high = t;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (schedule.half_log_snr(middle) > target ? low : high) = middle;
  }
  const double to_low = std::abs(schedule.half_log_snr(low) - target);
  const double to_high = std::abs(schedule.half_log_snr(high) - target);
  return to_low <= to_high ? low : high;
}

int raw_step(const Schedule& schedule, int t, int nfe, int i, GridSpacing spacing) {
  const double remaining = 1.0 - static_cast<double>(i) / nfe;
  switch (spacing) {
    case GridSpacing::uniform:
      return round_half_up(t * remaining);
    case GridSpacing::quadratic:
      return round_half_up(t * remaining * remaining);
    case GridSpacing::logsnr: {
      // NFE points from λ_t to λ_1; the last interval ends at the clean image.
      const double lambda_t = schedule.half_log_snr(t);
      const double lambda_1 = schedule.half_log_snr(1);
      const double fraction = nfe == 1 ? 0.0 : static_cast<double>(i) / (nfe - 1);
      return nearest_step(schedule, lambda_t + fraction * (lambda_1 - lambda_t), t);
    }
  }
  return 0;
}

}  // namespace

std::string to_string(GridSpacing spacing) {
  return spacing_words.word(spacing);
}

GridSpacing parse_grid_spacing(const std::string& word) {
  return spacing_words.parse(word);
}

template <>
std::vector<std::string> words_of<GridSpacing>() {
  return spacing_words.all();
}

void check_step_counts(int T, int t, int nfe) {
  if (t < 0 || t > T) {
    throw UsageError("t = " + std::to_string(t) + " is outside the schedule; give 0 to " +
                     std::to_string(T));
  }
  if (nfe < std::min(t, 1) || nfe > t) {
    throw UsageError("nfe = " + std::to_string(nfe) +
                     " evaluations do not fit t = " + std::to_string(t) + " steps; give " +
                     (t == 0 ? "0" : "1 to " + std::to_string(t)));
  }
}

std::vector<int> step_grid(const Schedule& schedule, int t, int nfe, GridSpacing spacing) {
  check_step_counts(schedule.steps(), t, nfe);
  std::vector<int> grid(static_cast<std::size_t>(nfe) + 1, 0);
  grid.front() = t;
  for (int i = 1; i < nfe; ++i) {
    grid[static_cast<std::size_t>(i)] = raw_step(schedule, t, nfe, i, spacing);
  }
  for (std::size_t i = grid.size() - 1; i-- > 1;) {
    grid[i] = std::max(grid[i], grid[i + 1] + 1);
  }
  for (std::size_t i = 1; i + 1 < grid.size(); ++i) {
    grid[i] = std::min(grid[i], grid[i - 1] - 1);
  }
  return grid;
}

}  // namespace srdiff
