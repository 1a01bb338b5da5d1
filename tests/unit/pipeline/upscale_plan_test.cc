#include "srdiff/upscale_plan.h"

#include <gtest/gtest.h>

#include "srdiff/error.h"
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
