#include "srdiff/upscale_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

/// A model of scale 2 that takes 128×128 pixels, in tiles of 16.
class UpscalePlanTest : public ::testing::Test {
 protected:
  UpscalePlanTest() {
    TestModelOptions options;
    options.manifest_patch = R"({"tile": {"size": 16, "overlap": 8}})";
    manifest_ = read_manifest(make_test_model(folder_.path() / "model", options));
  }

  UpscalePlan plan(std::int64_t height, std::int64_t width, const UpscaleOptions& options = {}) {
    return {manifest_, resolve_settings(options, manifest_), height, width};
  }

  TemporaryFolder folder_;
  Manifest manifest_;
};

TEST_F(UpscalePlanTest, RefusesASizeThatTheModelDoesNotTake) {
  EXPECT_EQ(manifest_.max_input_pixels(), 128 * 128);
  EXPECT_NO_THROW(plan(128, 128));
  EXPECT_THROW(plan(128, 129), InputError);
  EXPECT_NO_THROW(plan(1, 8));
  EXPECT_THROW(plan(0, 8), InputError);
  EXPECT_THROW(plan(8, 0), InputError);
  EXPECT_THROW(plan(0, 0), InputError);
  EXPECT_THROW(plan(2000000000, 2000000000), InputError);
}

TEST_F(UpscalePlanTest, RefusesASizeThatItsPassesMakeTooLarge) {
  EXPECT_NO_THROW(plan(64, 64, {.scale = 4.0}));
  EXPECT_THROW(plan(64, 68, {.scale = 4.0}), InputError);
  EXPECT_NO_THROW(plan(128, 128, {.scale = 1.5}));
}

TEST_F(UpscalePlanTest, EachPassTakesTheOutputOfTheOneBefore) {
  const UpscalePlan plan = this->plan(12, 10, {.scale = 3.0});
  ASSERT_EQ(plan.passes().size(), 2U);
  EXPECT_EQ(plan.passes()[0].grid.tiles(), 1);
  EXPECT_EQ(plan.passes()[1].height, 24);
  EXPECT_EQ(plan.passes()[1].width, 20);
  EXPECT_EQ(plan.passes()[1].grid.tiles(), 2 * 2);
  EXPECT_FALSE(plan.is_tiled());
  EXPECT_EQ(plan.ratio().up, 3);
  EXPECT_EQ(plan.ratio().down, 4);
  EXPECT_EQ(plan.output_height(), 36);
  EXPECT_EQ(plan.output_width(), 30);
}

TEST_F(UpscalePlanTest, NamesTheOutputsSize) {
  // (width, height) of the output of 30×20 pixels.
  const auto size = [this](const UpscaleOptions& options) {
    const UpscalePlan plan = this->plan(20, 30, options);
    return std::make_pair(plan.output_width(), plan.output_height());
  };
  EXPECT_EQ(size({.width = 100}), std::make_pair(100L, 67L));
  EXPECT_EQ(size({.height = 61}), std::make_pair(92L, 61L));
  EXPECT_EQ(size({.width = 90, .height = 50}), std::make_pair(75L, 50L));
  EXPECT_EQ(size({.width = 90, .height = 70}), std::make_pair(90L, 60L));
  EXPECT_EQ(size({.width = 30, .height = 900}), std::make_pair(30L, 20L));
  EXPECT_EQ(size({.long_side = 47}), std::make_pair(47L, 31L));
  EXPECT_EQ(size({.megapixels = 0.006}), std::make_pair(95L, 63L));
  EXPECT_EQ(plan(30, 20, {.long_side = 47}).output_height(), 47);
  EXPECT_EQ(plan(1, 30, {.width = 44}).output_height(), 1);
}

TEST_F(UpscalePlanTest, TheModelsOwnSizeIsOnePass) {
  EXPECT_TRUE(plan(20, 30, {.width = 60}).is_one_pass());
  EXPECT_TRUE(plan(20, 30).is_one_pass());
  EXPECT_FALSE(plan(20, 30, {.width = 59}).is_one_pass());
  EXPECT_EQ(plan(20, 30, {.width = 61}).passes().size(), 2U);
  EXPECT_EQ(plan(20, 30, {.width = 120}).ratio().up, 1);
  EXPECT_EQ(plan(20, 30, {.width = 120}).ratio().down, 1);
}

TEST_F(UpscalePlanTest, RefusesASizeThatIsNotLarger) {
  const auto refused = [this](const UpscaleOptions& options) {
    return support::message_of<InputError>([&] { plan(20, 30, options); });
  };
  EXPECT_EQ(refused({.width = 29}),
            "the input: 30x20 to 29x19 would be smaller; pictures are only enlarged");
  EXPECT_EQ(refused({.width = 100, .height = 19}),
            "the input: 30x20 to 29x19 would be smaller; pictures are only enlarged");
  EXPECT_EQ(refused({.megapixels = 0.0001}),
            "the input: 30x20 to 12x8 would be smaller; pictures are only enlarged");
  EXPECT_EQ(refused({.width = 1921}), "the input: 30x20 to 1921x1281 is more than 64 times");
  EXPECT_THROW(plan(20, 30, {.megapixels = 1e11}), InputError);
  EXPECT_THROW(plan(0, 30, {.width = 60}), InputError);
  manifest_.scale = 1;
  EXPECT_EQ(refused({.width = 60}),
            "the input: 30x20 to 60x40 is larger, and tiny does not enlarge");
  EXPECT_EQ(plan(20, 30, {.width = 30}).output_height(), 20);
}

TEST_F(UpscalePlanTest, RefusesASizeThatIsToldTwice) {
  EXPECT_THROW(plan(20, 30, {.scale = 2.0, .width = 60}), UsageError);
  EXPECT_THROW(plan(20, 30, {.width = 60, .long_side = 60}), UsageError);
  EXPECT_THROW(plan(20, 30, {.height = 60, .megapixels = 1.0}), UsageError);
  EXPECT_THROW(plan(20, 30, {.long_side = 60, .megapixels = 1.0}), UsageError);
  EXPECT_THROW(plan(20, 30, {.width = 0}), UsageError);
  EXPECT_THROW(plan(20, 30, {.long_side = -5}), UsageError);
  EXPECT_THROW(plan(20, 30, {.megapixels = 0.0}), UsageError);
  EXPECT_THROW(plan(20, 30, {.megapixels = std::nan("")}), UsageError);
}

TEST_F(UpscalePlanTest, TilesAreTheSettings) {
  EXPECT_TRUE(plan(16, 17).is_tiled());
  EXPECT_FALSE(plan(16, 16).is_tiled());
  EXPECT_FALSE(plan(40, 40, {.tile = 0}).is_tiled());
}

TEST_F(UpscalePlanTest, TheStepsAreThoseOfTheSettings) {
  const UpscalePlan plan = this->plan(8, 8, {.t = 300, .nfe = 3});
  ASSERT_EQ(plan.steps()->nfe(), 3);
  EXPECT_EQ(plan.steps()->t(0), 300);
  EXPECT_EQ(plan.steps()->t(1), 200);
  EXPECT_EQ(plan.steps()->t(3), 0);
}

}  // namespace
}  // namespace srdiff
