#include "evaluation/golden.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/file_io.h"
#include "srdiff/error.h"
#include "support/sr3_schedule.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

Golden example() {
  Golden golden;
  golden.about = "an example";
  golden.setting.reference = "faces";
  golden.setting.model = "tiny";
  golden.setting.metrics = "psnr,fid";
  golden.setting.features = "tiny-features";
  golden.setting.limit = 5;
  golden.setting.options.start = Start::sr;
  golden.setting.options.beta = 0.25;
  golden.setting.options.sampler = SamplerKind::dpmpp;
  golden.setting.options.seed = 7;
  golden.setting.options.color_fix = ColorFix::consistency;
  golden.setting.options.tile = 32;
  golden.setting.patch = 64;
  golden.setting.kid.subset_size = 50;
  golden.made_with = {{"srdiff", "0.1.0"}};
  golden.stage_images = 1;
  golden.stage_tolerances = {{"x_sr", 1e-5}, {"W", 1e-5}, {"x_t", 1e-5}, {"eps", 2e-5}};
  golden.stages = {{"00", "x_t", at::linspace(-1.0, 1.0, 192, at::kDouble).reshape({3, 8, 8})}};
  golden.figures = {{"fid", 100.0, 0.01, true, Direction::lower},
                    {"psnr", 30.0, 0.5, false, Direction::higher}};
  return golden;
}

Figure figure(const std::string& key, double value, Better better = Better::lower) {
  Figure result{key, key, value};
  result.better = better;
  return result;
}

bool passes(const GoldenFigure& golden, double measured) {
  Golden file;
  file.figures = {golden};
  return verdicts_on(file, {}, {figure(golden.key, measured)}).front().passed;
}

class GoldenTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "golden.json"; }
  support::TemporaryFolder folder_;
};

TEST_F(GoldenTest, ComesBackAsItWas) {
  write_golden(file(), example());
  const std::string bytes = read_file(file());
  const Golden read = read_golden(file());
  EXPECT_EQ(read.setting.options.start, Start::sr);
  EXPECT_EQ(read.setting.options.beta, 0.25);
  EXPECT_FALSE(read.setting.options.t.has_value());
  EXPECT_EQ(read.setting.options.sampler, SamplerKind::dpmpp);
  EXPECT_EQ(read.setting.options.seed, 7U);
  EXPECT_EQ(read.setting.options.color_fix, ColorFix::consistency);
  EXPECT_EQ(read.setting.options.tile, 32);
  EXPECT_FALSE(read.setting.options.tile_overlap.has_value());
  EXPECT_EQ(read.setting.limit, 5);
  EXPECT_EQ(read.setting.patch, 64);
  EXPECT_EQ(read.setting.kid.subsets, KernelDistanceOptions().subsets);
  EXPECT_EQ(read.setting.kid.subset_size, 50);
  EXPECT_EQ(read.figures.size(), 2U);
  EXPECT_TRUE(at::allclose(read.stages.front().means, example().stages.front().means, 0.0, 1e-6));
  write_golden(file(), read);
  EXPECT_EQ(read_file(file()), bytes);
}

TEST_F(GoldenTest, AWrongFileIsNamed) {
  const auto complaint = [&](const std::string& text) {
    std::ofstream(file()) << text;
    try {
      read_golden(file());
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no complaint");
  };
  const std::string setting = R"({"reference": "a", "model": "b", "metrics": "psnr"})";
  const auto with = [&](const std::string& rest) {
    return complaint(R"({"format": 1, "setting": )" + setting + rest + "}");
  };
  EXPECT_NE(complaint("{").find("golden.json: is not valid JSON"), std::string::npos);
  EXPECT_NE(complaint("{}").find("'format' is missing"), std::string::npos);
  EXPECT_NE(complaint(R"({"format": 1})").find("setting: must be"), std::string::npos);
  EXPECT_NE(with("").find("stages: must be"), std::string::npos);
  const std::string stages = R"(, "stages": {"images": 0)";
  EXPECT_EQ(with(stages + "}"), "no complaint");
  EXPECT_NE(
      with(stages + R"(}, "figures": {"psnr": {"expected": 1, "tolerance": -1}})").find("psnr"),
      std::string::npos);
  EXPECT_NE(with(stages + R"(, "block_means": [{"image": "0", "stage": "W", "rows": ["1 2"]}]})")
                .find("64"),
            std::string::npos);
  EXPECT_NE(with(stages + R"(, "block_means": [{"image": "0", "stage": "W", "rows": ["1 x"]}]})")
                .find("'1 x' is no row of numbers"),
            std::string::npos);
  EXPECT_NE(with(stages + R"(, "tolerance": {"w": 1}})").find("'w' is no x_sr"), std::string::npos);
  EXPECT_NE(with(stages + R"(, "tolerance": {"W": -1}})").find("'W' is no x_sr"),
            std::string::npos);
  EXPECT_NE(with(stages + R"(}, "extra": 1)").find("'extra' is not known"), std::string::npos);
  EXPECT_NE(complaint(R"({"format": 1, "setting": {"reference": "a", "model": "b",
                          "metrics": "psnr", "limt": 3}})")
                .find("'limt' is not known"),
            std::string::npos);
}

TEST(GoldenFigures, AreJudgedByDirectionAndTolerance) {
  const GoldenFigure lower = {"fid", 100.0, 0.01, true, Direction::lower};
  EXPECT_TRUE(passes(lower, 50.0));
  EXPECT_TRUE(passes(lower, 100.9));
  EXPECT_FALSE(passes(lower, 101.1));
  const GoldenFigure higher = {"psnr", 30.0, 0.5, false, Direction::higher};
  EXPECT_TRUE(passes(higher, 40.0));
  EXPECT_TRUE(passes(higher, 29.6));
  EXPECT_FALSE(passes(higher, 29.4));
  const GoldenFigure exact = {"kid", -0.1, 0.1, true, Direction::exact};
  EXPECT_TRUE(passes(exact, -0.105));
  EXPECT_FALSE(passes(exact, -0.12));
  EXPECT_FALSE(passes(exact, 0.1));
  for (const GoldenFigure& golden : {lower, higher, exact}) {
    EXPECT_FALSE(passes(golden, std::numeric_limits<double>::quiet_NaN()));
  }
}

TEST(GoldenFigures, WhatWasNotMeasuredIsMissed) {
  const auto verdicts = verdicts_on(example(), {}, {figure("psnr", 31.0)});
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].what, "x_t of 00");
  EXPECT_FALSE(verdicts[0].passed);
  EXPECT_FALSE(verdicts[1].passed);
  EXPECT_TRUE(verdicts[2].passed);
}

TEST(GoldenStages, AreJudgedByTheLargestDifference) {
  const Golden golden = example();
  std::vector<GoldenStage> stages = golden.stages;
  stages.front().means = golden.stages.front().means.clone();
  stages.front().means[1][2][3] += 0.9e-5;
  EXPECT_TRUE(verdicts_on(golden, stages, {}).front().passed);
  stages.front().means[1][2][3] += 0.2e-5;
  EXPECT_FALSE(verdicts_on(golden, stages, {}).front().passed);
  stages.front().means[0][0][0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(verdicts_on(golden, stages, {}).front().passed);
}

TEST(GoldenUpdate, KeepsTolerancesAndDirections) {
  const Golden golden =
      updated_golden(example(), {},
                     {figure("fid", 123.456789), figure("ssim", 0.9, Better::higher),
                      figure("ms-ssim", std::numeric_limits<double>::quiet_NaN())});
  ASSERT_EQ(golden.figures.size(), 2U);
  EXPECT_EQ(golden.figures[0].expected, 123.457);
  EXPECT_EQ(golden.figures[0].tolerance, 0.01);
  EXPECT_EQ(golden.figures[1].direction, Direction::higher);
  EXPECT_GT(golden.figures[1].tolerance, 0.0);
  EXPECT_TRUE(golden.stages.empty());
}

TEST(StageRecorder, TakesTheFirstPicturesUpToTheFirstEps) {
  const Schedule schedule = support::sr3_schedule();
  StageRecorder recorder(support::sr3_schedule(), 2);  // keeps the schedule that it is given
  using Kind = UpscaleState::Kind;
  at::manual_seed(1);
  const at::Tensor x_t = at::randn({1, 3, 32, 32});
  const at::Tensor x0 = at::rand({1, 3, 32, 32});
  for (const Kind kind : {Kind::x_t, Kind::x0}) {  // pictures side by side, as a batch gives them
    for (const char* image : {"a", "b", "c"}) {
      recorder.add(image, {kind, 0, 300, kind == Kind::x0 ? 1 : 0, kind == Kind::x0 ? x0 : x_t});
    }
  }
  recorder.add("a", {Kind::x0, 0, 262, 2, x0});
  ASSERT_EQ(recorder.stages().size(), 4U);
  EXPECT_EQ(recorder.stages()[1].image, "b");
  EXPECT_EQ(recorder.stages()[2].name, "eps");
  const at::Tensor eps = (x_t - x0 * schedule.noise_level(300)) / schedule.sigma(300);
  const at::Tensor first_block = eps.narrow(2, 0, 4).narrow(3, 0, 4).mean(at::IntArrayRef{2, 3});
  EXPECT_LT((recorder.stages()[2].means.select(2, 0).select(1, 0) - first_block.squeeze(0))
                .abs()
                .max()
                .item<double>(),
            1e-6);
}

}  // namespace
}  // namespace srdiff
