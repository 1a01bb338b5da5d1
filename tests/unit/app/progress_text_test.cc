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

}  // namespace
