#include "srdiff/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "srdiff/error.h"
#include "support/sr3_schedule.h"

namespace srdiff {
namespace {

using support::sr3_schedule;

// Expected values: the products and quotients in 40-digit arithmetic (mpmath).
TEST(Schedule, AlphaBarAtTheEndsAndInTheMiddle) {
  EXPECT_EQ(sr3_schedule().alpha_bar(0), 1.0);
  EXPECT_NEAR(sr3_schedule().alpha_bar(1), 0.999999, 1e-15);
  EXPECT_NEAR(sr3_schedule().alpha_bar(2), 0.999992998005001501, 1e-15);
  EXPECT_NEAR(sr3_schedule().alpha_bar(300), 0.798714210392544649, 1e-9);
  EXPECT_NEAR(sr3_schedule().alpha_bar(2000), 0.0000438597823613320933, 1e-9);
}

TEST(Schedule, AmplitudesAtTheUsualStart) {
  EXPECT_NEAR(sr3_schedule().noise_level(300), 0.8937, 5e-5);
  EXPECT_NEAR(sr3_schedule().sigma(300), 0.4486, 5e-5);
  // One step beside: what an index off by one would give.
  EXPECT_GT(std::abs(sr3_schedule().noise_level(299) - sr3_schedule().noise_level(300)), 6e-4);
}

TEST(Schedule, PosteriorVariance) {
  EXPECT_EQ(sr3_schedule().posterior_variance(1), 0.0);
  EXPECT_NEAR(sr3_schedule().posterior_variance(2), 8.57184416982112949e-7, 1e-15);
  EXPECT_NEAR(sr3_schedule().posterior_variance(300), 0.00148769729012093212, 1e-12);
}

TEST(Schedule, HalfLogSnr) {
  EXPECT_NEAR(sr3_schedule().half_log_snr(1), 6.90775477898189, 1e-8);
  EXPECT_NEAR(sr3_schedule().half_log_snr(300), 0.68913873031059, 1e-10);
  EXPECT_NEAR(sr3_schedule().half_log_snr(2000), -5.01723445818227, 1e-10);
}

TEST(Schedule, BetaIncludesBothEnds) {
  EXPECT_DOUBLE_EQ(sr3_schedule().beta(1), 1e-6);
  EXPECT_DOUBLE_EQ(sr3_schedule().beta(2000), 1e-2);
}

TEST(Schedule, RefusesStepsOutsideItsRange) {
  EXPECT_THROW(sr3_schedule().alpha_bar(-1), std::out_of_range);
  EXPECT_THROW(sr3_schedule().alpha_bar(2001), std::out_of_range);
  EXPECT_THROW(sr3_schedule().beta(0), std::out_of_range);
  EXPECT_THROW(sr3_schedule().half_log_snr(0), std::out_of_range);
}

TEST(Schedule, RefusesImpossibleParameters) {
  EXPECT_THROW(Schedule::linear(0, 1e-6, 1e-2), UsageError);
  EXPECT_THROW(Schedule::linear(10, 0.0, 1e-2), UsageError);
  EXPECT_THROW(Schedule::linear(10, 1e-2, 1e-6), UsageError);
  EXPECT_THROW(Schedule::linear(10, 1e-6, 1.0), UsageError);
}

}  // namespace
}  // namespace srdiff
