#include "srdiff/step_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "srdiff/error.h"
#include "support/sr3_schedule.h"

namespace srdiff {
namespace {

using support::sr3_schedule;

TEST(StepGrid, UniformIsTheRoundedEqualDivision) {
  EXPECT_EQ(step_grid(sr3_schedule(), 300, 8, GridSpacing::uniform),
            (std::vector<int>{300, 263, 225, 188, 150, 113, 75, 38, 0}));
}

TEST(StepGrid, QuadraticIsDenserTowardsTheCleanImage) {
  EXPECT_EQ(step_grid(sr3_schedule(), 100, 5, GridSpacing::quadratic),
            (std::vector<int>{100, 64, 36, 16, 4, 0}));
}

TEST(StepGrid, LogSnrHasEqualDistancesInLambda) {
  const Schedule schedule = sr3_schedule();
  const auto grid = step_grid(schedule, 300, 6, GridSpacing::logsnr);
  const double whole = schedule.half_log_snr(1) - schedule.half_log_snr(300);
  for (std::size_t i = 1; i < 5; ++i) {
    const double wanted = schedule.half_log_snr(300) + static_cast<double>(i) / 5 * whole;
    const double distance = std::abs(schedule.half_log_snr(grid[i]) - wanted);
    // No neighbouring step is nearer.
    EXPECT_LE(distance, std::abs(schedule.half_log_snr(grid[i] + 1) - wanted)) << i;
    EXPECT_LE(distance, std::abs(schedule.half_log_snr(std::max(1, grid[i] - 1)) - wanted)) << i;
  }
  EXPECT_EQ(grid[5], 1);
  EXPECT_EQ(grid[6], 0);
}

class EveryGrid : public testing::TestWithParam<GridSpacing> {};

TEST_P(EveryGrid, FallsStrictlyFromTToZeroInNfeSteps) {
  for (const int t : {1, 2, 3, 7, 50, 300, 2000}) {
    for (const int nfe : {1, 2, 3, 5, 8, 49, 50, 300}) {
      if (nfe > t) {
        continue;
      }
      const auto grid = step_grid(sr3_schedule(), t, nfe, GetParam());
      ASSERT_EQ(grid.size(), static_cast<std::size_t>(nfe) + 1) << t << ' ' << nfe;
      EXPECT_EQ(grid.front(), t);
      EXPECT_EQ(grid.back(), 0);
      for (std::size_t i = 1; i < grid.size(); ++i) {
        ASSERT_LT(grid[i], grid[i - 1]) << t << ' ' << nfe << ' ' << i;
      }
    }
  }
}

TEST_P(EveryGrid, WithNfeEqualToTVisitsEveryStep) {
  const auto grid = step_grid(sr3_schedule(), 60, 60, GetParam());
  for (int i = 0; i <= 60; ++i) {
    EXPECT_EQ(grid[static_cast<std::size_t>(i)], 60 - i);
  }
}

TEST_P(EveryGrid, SurvivesItsWord) {
  EXPECT_EQ(parse_grid_spacing(to_string(GetParam())), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, EveryGrid,
                         testing::Values(GridSpacing::uniform, GridSpacing::quadratic,
                                         GridSpacing::logsnr),
                         [](const auto& info) { return to_string(info.param); });

TEST_P(EveryGrid, AtZeroHasNoStep) {
  EXPECT_EQ(step_grid(sr3_schedule(), 0, 0, GetParam()), std::vector<int>{0});
}

TEST(StepGrid, RefusesWhatDoesNotFit) {
  EXPECT_THROW(step_grid(sr3_schedule(), 0, 1, GridSpacing::uniform), UsageError);
  EXPECT_THROW(step_grid(sr3_schedule(), -1, 0, GridSpacing::uniform), UsageError);
  EXPECT_THROW(step_grid(sr3_schedule(), 2001, 8, GridSpacing::uniform), UsageError);
  EXPECT_THROW(step_grid(sr3_schedule(), 300, 0, GridSpacing::uniform), UsageError);
  EXPECT_THROW(step_grid(sr3_schedule(), 300, 301, GridSpacing::uniform), UsageError);
  EXPECT_THROW(parse_grid_spacing("cubic"), UsageError);
}

}  // namespace
}  // namespace srdiff
