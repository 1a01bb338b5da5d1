#include "base/parse_number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace srdiff {
namespace {

TEST(ParseNumber, TakesAWholeWordOrNothing) {
  EXPECT_EQ(parse_number<int>("-12"), -12);
  EXPECT_EQ(parse_number<double>("1.5"), 1.5);
  for (const char* word : {"", " 1", "1 ", "1x", "+1", "0x10", "2147483648"}) {
    EXPECT_FALSE(parse_number<int>(word)) << word;
  }
  EXPECT_FALSE(parse_number<std::uint64_t>("-1"));
}

}  // namespace
}  // namespace srdiff
