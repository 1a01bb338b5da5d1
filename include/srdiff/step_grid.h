#pragma once

#include <string>
#include <vector>

#include "srdiff/schedule.h"

namespace srdiff {

/// How the steps that are visited lie between t and 0.
enum class GridSpacing {
  uniform,    ///< equal distances in t
  quadratic,  ///< τ_i = t·(1−i/NFE)²: denser towards the clean image (arXiv 2010.02502, D.3)
  logsnr,     ///< equal distances in λ_t from t to 1, then 0 (arXiv 2206.00927, section 3.4)
};

/// "uniform", "quadratic", "logsnr". `parse_grid_spacing` throws UsageError on any other word.
std::string to_string(GridSpacing spacing);
GridSpacing parse_grid_spacing(const std::string& word);

/// Throws UsageError unless 1 ≤ nfe ≤ t ≤ T, the schedule's steps, or nfe and t are both 0.
void check_step_counts(int T, int t, int nfe);

/// The decreasing grid τ_0 = t > τ_1 > … > τ_NFE = 0: NFE+1 steps, one denoiser call between each
/// two. Where rounding makes two steps equal, the earlier one is moved up by one. At t = 0 it is
/// {0}. Throws as check_step_counts does.
std::vector<int> step_grid(const Schedule& schedule, int t, int nfe, GridSpacing spacing);

}  // namespace srdiff
