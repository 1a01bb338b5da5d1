#include "output/progress_text.h"

#include <gtest/gtest.h>

namespace {

TEST(ProgressText, TellsTheTimeThatIsLeft) {
  EXPECT_EQ(progress_text(2, 8, "evaluations", 3.0), "2/8 evaluations, 9 s left");
  EXPECT_EQ(progress_text(8, 8, "evaluations", 3.0), "8/8 evaluations, 0 s left");
}

TEST(ProgressText, TellsNoTimeWhereNothingIsDone) {
  EXPECT_EQ(progress_text(0, 8, "evaluations", 3.0), "0/8 evaluations");
  EXPECT_EQ(progress_text(0, 0, "pictures", 0.0), "0/0 pictures");
}

TEST(ProgressText, FillsItsCells) {
  EXPECT_EQ(progress_cells(0, 8), std::string(30, '-'));
  EXPECT_EQ(progress_cells(4, 8), std::string(15, '#') + std::string(15, '-'));
  EXPECT_EQ(progress_cells(8, 8), std::string(30, '#'));
  EXPECT_EQ(progress_cells(0, 0), std::string(30, '-'));
}

TEST(ProgressText, DurationsAreAsExactAsOnePlansWith) {
  EXPECT_EQ(duration_text(0.2), "0 s");
  EXPECT_EQ(duration_text(99.4), "99 s");
  EXPECT_EQ(duration_text(100.0), "2 min");
  EXPECT_EQ(duration_text(12 * 60.0), "12 min");
  EXPECT_EQ(duration_text(3 * 3600.0 + 20 * 60.0 + 10.0), "3 h 20 min");
  EXPECT_EQ(duration_text(2 * 3600.0 - 5.0), "2 h 0 min");
}

TEST(ProgressText, ALongRunIsToldOnceItCanBeToldBy) {
  EXPECT_EQ(long_run_text("a.jpg: 48 tiles of 4 evaluations", 0.01, 7.2),
            "a.jpg: 48 tiles of 4 evaluations, some 12 min in all");
  EXPECT_EQ(long_run_text("a.jpg", 0.01, 2.0), "") << "too little is done";
  EXPECT_EQ(long_run_text("a.jpg", 0.0, 20.0), "") << "nothing is done";
  EXPECT_EQ(long_run_text("a.jpg", 0.1, 5.9), "") << "less than a minute in all";
}

}  // namespace
