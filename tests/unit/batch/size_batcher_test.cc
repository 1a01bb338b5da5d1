#include "batch/size_batcher.h"

#include <gtest/gtest.h>

#include <string>

namespace srdiff {
namespace {

TEST(SizeBatcher, LetsEqualValuesGoTogetherAndKeepsNoMoreThanItMay) {
  using Group = std::vector<int>;
  SizeBatcher<std::string, int> batcher(4, 100);
  EXPECT_EQ(batcher.add("a", 1, 10, 2), Group());
  EXPECT_EQ(batcher.add("b", 2, 10, 3), Group());
  EXPECT_EQ(batcher.add("a", 3, 10, 2), (Group{1, 3}));
  EXPECT_EQ(batcher.add("c", 4, 10, 3), Group());
  EXPECT_EQ(batcher.add("c", 5, 10, 3), Group());
  EXPECT_EQ(batcher.add("d", 6, 10, 3), (Group{4, 5}));  // a fourth would wait
  EXPECT_EQ(batcher.add("d", 7, 90, 3), (Group{6, 7}));  // too many bytes
  EXPECT_EQ(batcher.add("e", 8, 500, 1), (Group{8}));
  EXPECT_EQ(batcher.take_largest(), (Group{2}));
  EXPECT_EQ(batcher.take_largest(), Group());
}

}  // namespace
}  // namespace srdiff
