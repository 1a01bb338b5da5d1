#include "batch/size_batcher.h"

#include <gtest/gtest.h>

#include <string>

namespace srdiff {
namespace {

TEST(Gathering, LetsEqualValuesGoTogetherAndKeepsNoMoreThanItMay) {
  using Group = std::vector<int>;
  Gathering<std::string, int> gathering(4, 100);
  EXPECT_EQ(gathering.add("a", 1, 10, 2), Group());
  EXPECT_EQ(gathering.add("b", 2, 10, 3), Group());
  EXPECT_EQ(gathering.add("a", 3, 10, 2), (Group{1, 3}));
  EXPECT_EQ(gathering.add("c", 4, 10, 3), Group());
  EXPECT_EQ(gathering.add("c", 5, 10, 3), Group());
  EXPECT_EQ(gathering.add("d", 6, 10, 3), (Group{4, 5}));  // a fourth would wait
  EXPECT_EQ(gathering.add("d", 7, 90, 3), (Group{6, 7}));  // too many bytes
  EXPECT_EQ(gathering.add("e", 8, 500, 1), (Group{8}));
  EXPECT_EQ(gathering.take_largest(), (Group{2}));
  EXPECT_EQ(gathering.take_largest(), Group());
}

}  // namespace
}  // namespace srdiff
