#include "pipeline/stages.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "srdiff/resize.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

class StagesTest : public ::testing::Test {
 protected:
  MethodStages stages(const UpscaleOptions& options, const char* patch = "{}",
                      bool masked = false) {
    TestModelOptions model;
    model.manifest_patch = patch;
    const Manifest manifest = read_manifest(make_test_model(folder_.path() / "model", model));
    UpscalePlan plan(manifest, resolve_settings(options, manifest), 8, 8);
    if (masked) {
      plan.set_mask(at::zeros({8, 8}, at::kByte));
    }
    return {manifest, plan, plan.passes().front()};
  }

  /// Stages that call a network, the denoiser included.
  static std::int64_t networks(const MethodStages& stages) {
    std::int64_t count = 0;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      count += stages[i].reach() == Stage::Reach::window ? 1 : 0;
    }
    return count;
  }

  TemporaryFolder folder_;
};

TEST_F(StagesTest, EachPlaneIsMadeBeforeItIsRead) {
  for (const UpscaleOptions& options :
       {UpscaleOptions{.nfe = 3},
        {.start = Start::sr, .nfe = 3},
        {.start = Start::noise, .nfe = 3},
        {.nfe = 2, .color_fix = ColorFix::neutral},
        {.sampler = SamplerKind::dpmpp, .nfe = 4, .color_fix = ColorFix::consistency}}) {
    for (const char* patch : {"{}", R"({"condition": "x_sr"})"}) {
      const MethodStages stages = this->stages(options, patch);
      std::vector<Plane> made = {lr_plane, bicubic_plane, mask_plane};
      for (std::size_t i = 0; i < stages.size(); ++i) {
        for (const Plane plane : stages[i].inputs) {
          EXPECT_TRUE(std::find(made.begin(), made.end(), plane) != made.end()) << i;
        }
        made.insert(made.end(), stages[i].outputs.begin(), stages[i].outputs.end());
      }
      EXPECT_EQ(made.size(), stages.planes());
      EXPECT_EQ(made.back(), stages.result());
    }
  }
}

TEST_F(StagesTest, AMaskIsReadByEachStep) {
  for (const SamplerKind sampler : {SamplerKind::ddim, SamplerKind::dpmpp}) {
    const UpscaleOptions options = {
        .sampler = sampler, .nfe = 4, .color_fix = ColorFix::consistency};
    const MethodStages masked = stages(options, "{}", true);
    EXPECT_EQ(masked.readers(mask_plane).size(), 1U + 4U);  // equation (1) and the steps
    EXPECT_EQ(masked.size(), stages(options).size());
    EXPECT_NE(masked.mask(), nullptr);
    EXPECT_TRUE(stages(options).readers(mask_plane).empty());
  }
}

TEST_F(StagesTest, CallTheNetworksThatTheSettingsNeed) {
  EXPECT_EQ(networks(stages({.nfe = 3})), 2 + 3);
  EXPECT_EQ(networks(stages({.t = 0})), 1);
  EXPECT_EQ(networks(stages({.weight_map = false, .nfe = 3})), 1 + 3);
  EXPECT_EQ(networks(stages({.start = Start::sr, .nfe = 3})), 1 + 3);
  EXPECT_EQ(networks(stages({.start = Start::noise, .nfe = 3})), 3);
  EXPECT_EQ(networks(stages({.start = Start::noise, .nfe = 3}, R"({"condition": "x_sr"})")), 1 + 3);
}

// What no stage reads is not kept: memory grows with the planes that are.
TEST_F(StagesTest, TheX0OfAStepIsReadByDpmSolverAlone) {
  const auto read = [this](SamplerKind sampler) {
    const MethodStages stages = this->stages({.sampler = sampler, .nfe = 4});
    std::int64_t count = 0;
    for (Plane plane = 0; plane < stages.planes(); ++plane) {
      const auto& state = stages.state(plane);
      count += state && state->kind == UpscaleState::Kind::x0 && !stages.readers(plane).empty();
    }
    return count;
  };
  EXPECT_EQ(read(SamplerKind::ddim), 0);
  EXPECT_EQ(read(SamplerKind::dpmpp), 2);  // by the second step and the third
}

TEST(BicubicCondition, OfAWindowIsThatPartOfTheWhole) {
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor lr = at::rand({1, 3, 21, 30}, generator).mul(2).sub(1);
  const Window canvas = {0, 24, 0, 32};
  const at::Tensor padded = reflected_window(lr, canvas);
  const at::Tensor whole = resize_bicubic(padded, 48, 64).clamp(-1.0, 1.0);
  EXPECT_TRUE(at::equal(bicubic_condition(lr, canvas, canvas, 2), whole));
  for (const Window& window : {Window{0, 8, 0, 8}, {8, 16, 2, 12}, {16, 24, 24, 32}}) {
    EXPECT_TRUE(at::allclose(bicubic_condition(lr, window, canvas, 2),
                             whole.slice(2, 2 * window.top, 2 * window.bottom)
                                 .slice(3, 2 * window.left, 2 * window.right),
                             0, 1e-5));
  }
}

}  // namespace
}  // namespace srdiff
