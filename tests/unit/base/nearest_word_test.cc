#include "base/nearest_word.h"

#include <gtest/gtest.h>

namespace srdiff {
namespace {

TEST(NearestWord, FindsWhatWasMeant) {
  const std::vector<std::string> words = {"upscale", "compare", "eval", "models", "bench"};
  EXPECT_EQ(nearest_word("upscal", words), "upscale");
  EXPECT_EQ(nearest_word("upsacle", words), "upscale");
  EXPECT_EQ(nearest_word("model", words), "models");
  EXPECT_EQ(nearest_word("evla", words), "eval");
  EXPECT_EQ(nearest_word("enlarge", words), "");
  EXPECT_EQ(nearest_word("", words), "");
}

TEST(NearestWord, AHintIsTheEndOfAMessage) {
  EXPECT_EQ(nearest_hint("photo-x4", {"faces-x8", "photos-x4"}), "; the nearest is photos-x4");
  EXPECT_EQ(nearest_hint("cars", {"faces-x8", "photos-x4"}), "");
}

}  // namespace
}  // namespace srdiff
