#include "base/counted.h"

#include <gtest/gtest.h>

namespace srdiff {
namespace {

TEST(Counted, TakesThePluralForAllButOne) {
  EXPECT_EQ(counted(0, "tile"), "0 tiles");
  EXPECT_EQ(counted(1, "tile"), "1 tile");
  EXPECT_EQ(counted(340, "evaluation"), "340 evaluations");
}

}  // namespace
}  // namespace srdiff
