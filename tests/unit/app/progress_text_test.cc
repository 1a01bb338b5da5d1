#include "output/progress_text.h"

#include <gtest/gtest.h>

namespace {

TEST(ProgressText, TellsTheTimeThatIsLeft) {
  EXPECT_EQ(progress_text(2, 8, "pictures", 3.0), "2/8 pictures, 9 s left");
  EXPECT_EQ(progress_text(8, 8, "pictures", 3.0), "8/8 pictures, 0 s left");
  EXPECT_EQ(share_text(0.257, 3.0), "25 %, 9 s left");
  EXPECT_EQ(share_text(1.0, 3.0), "100 %, 0 s left");
}

TEST(ProgressText, TellsNoTimeWhereNothingIsDone) {
  EXPECT_EQ(progress_text(0, 8, "pictures", 3.0), "0/8 pictures");
  EXPECT_EQ(share_text(0.0, 3.0), "0 %");
  EXPECT_EQ(progress_text(0, 0, "pictures", 0.0), "0/0 pictures");
}

TEST(ProgressText, FillsItsCells) {
  EXPECT_EQ(progress_cells(0.0), std::string(30, '-'));
  EXPECT_EQ(progress_cells(0.5), std::string(15, '#') + std::string(15, '-'));
  EXPECT_EQ(progress_cells(1.0), std::string(30, '#'));
  EXPECT_EQ(progress_cells(1.5), std::string(30, '#'));
}

TEST(ProgressText, AFolderCountsAPartOfAPictureToo) {
  srdiff::BatchProgress pictures;
  pictures.total = 4;
  EXPECT_EQ(folder_progress_text(pictures, 0.0, 3.0), "0/4 pictures");
  EXPECT_EQ(folder_progress_text(pictures, 0.5, 3.0), "0/4 pictures, 21 s left");
  EXPECT_EQ(folder_fraction(pictures, 0.5), 0.125);
}

TEST(ProgressText, PicturesThatTookNoTimeDoNotCount) {
  srdiff::BatchProgress pictures;
  pictures.total = 10;
  pictures.skipped = 5;
  pictures.failed = 1;
  pictures.done = 2;
  EXPECT_EQ(folder_progress_text(pictures, 2.5, 5.0), "8/10 pictures, 1 failed, 3 s left");
  EXPECT_EQ(folder_fraction(pictures, 3.0), 0.75);
  pictures.failed = 5;
  EXPECT_EQ(folder_fraction(pictures, 0.0), 1.0);
}

TEST(ProgressText, ALongNameKeepsItsEnd) {
  EXPECT_EQ(shortened("photo.jpg", 9), "photo.jpg");
  EXPECT_EQ(shortened("holiday-0001.jpg", 9), "…0001.jpg");
  EXPECT_EQ(shortened("Bäckerei-Köln.jpg", 9), "…Köln.jpg");
  EXPECT_EQ(shortened("", 9), "");
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
