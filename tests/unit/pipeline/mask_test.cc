#include "pipeline/mask.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "srdiff/error.h"
#include "srdiff/intermediate.h"
#include "srdiff/upscaler.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

at::Tensor bytes(std::int64_t height, std::int64_t width, int value) {
  return at::full({height, width}, value, at::kByte);
}

/// White to the right of a column.
at::Tensor right_half(std::int64_t height, std::int64_t width, std::int64_t first) {
  at::Tensor mask = bytes(height, width, 0);
  mask.slice(1, first).fill_(255);
  return mask;
}

TEST(LaidMask, IsNowhereLighterAndKeepsBlackAndWhite) {
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor spots = at::rand({9, 11}, generator).mul(255).round().to(at::kByte);
  for (const at::Tensor& mask : {right_half(9, 11, 5), spots, bytes(9, 11, 255)}) {
    const at::Tensor laid = LaidMask(mask, 36, 44).rows({0, 36}, 44)[0][0];
    const at::Tensor under =
        mask.to(at::kFloat).div(255).repeat_interleave(4, 0).repeat_interleave(4, 1);
    EXPECT_LE((laid - under).max().item<float>(), 1e-6F);
    EXPECT_EQ(laid.masked_select(under == 0).abs().sum().item<float>(), 0.0F);
  }
  const at::Tensor edge = LaidMask(right_half(9, 11, 5), 36, 44).rows({0, 36}, 44)[0][0][17];
  EXPECT_EQ(edge.slice(0, 24).min().item<float>(), 1.0F);  // four pixels of rim
  EXPECT_LE(edge.slice(0, 1).sub(edge.slice(0, 0, 43)).max().item<float>(), 0.21F);
  EXPECT_EQ(LaidMask(bytes(9, 11, 255), 36, 44).rows({0, 36}, 44).min().item<float>(), 1.0F);
}

// A mask of the output's size over a pass that is smaller or larger.
TEST(LaidMask, IsBlackWhereAnythingUnderItIs) {
  at::Tensor mask = bytes(30, 30, 255);
  mask[17][11] = 0;
  EXPECT_EQ(LaidMask(mask, 20, 20).rows({0, 20}, 20)[0][0][11][7].item<float>(), 0.0F);
  EXPECT_EQ(LaidMask(mask, 7, 7).rows({0, 7}, 7)[0][0][3][2].item<float>(), 0.0F);
  const at::Tensor larger = LaidMask(mask, 45, 45).rows({0, 45}, 45)[0][0];
  for (const std::int64_t y : {25, 26}) {
    EXPECT_EQ(larger[y][16].item<float>(), 0.0F);
    EXPECT_EQ(larger[y][17].item<float>(), 0.0F);
  }
}

TEST(LaidMask, ComesInRows) {
  auto generator = at::detail::createCPUGenerator(6);
  const LaidMask mask(at::rand({13, 10}, generator).mul(255).to(at::kByte), 26, 20);
  const at::Tensor whole = mask.rows({0, 32}, 24);  // beyond the picture
  EXPECT_EQ(whole.sizes(), (at::IntArrayRef{1, 1, 32, 24}));
  for (const RowRange rows : {RowRange{0, 1}, {5, 19}, {25, 32}}) {
    EXPECT_TRUE(at::equal(mask.rows(rows, 24), whole.slice(2, rows.first, rows.last)));
  }
}

/// Pictures of 40×28 pixels by a model of scale 2 with tiles of 16, whose networks see 2 output
/// pixels around.
class MaskedUpscaleTest : public ::testing::Test {
 protected:
  MaskedUpscaleTest() { make({}); }

  void make(TestModelOptions options) {
    if (options.manifest_patch.empty()) {
      options.manifest_patch = R"({"tile": {"size": 16, "overlap": 8}})";
    }
    upscaler_.emplace(Model::load(make_test_model(folder_.path() / "model", options)));
    auto generator = at::detail::createCPUGenerator(7);
    picture_.rgb = at::rand({3, 28, 40}, generator).mul(255).round().div(255).mul(2).sub(1);
  }

  UpscalePlan plan(const UpscaleOptions& options) const {
    return upscaler_->plan(28, 40, resolve_settings(options, upscaler_->model().manifest()));
  }

  at::Tensor run(const UpscaleOptions& options, const at::Tensor& mask = {}) const {
    UpscalePlan plan = this->plan(options);
    if (mask.defined()) {
      plan.set_mask(mask);
    }
    std::vector<at::Tensor> rows;
    upscaler_->upscale(picture_, plan,
                       [&](const at::Tensor& rgb, const at::Tensor&) { rows.push_back(rgb); });
    return at::cat(rows, 1);
  }

  TemporaryFolder folder_;
  std::optional<Upscaler> upscaler_;
  Image picture_;
};

UpscaleOptions at_zero(UpscaleOptions options) {
  options.t = 0;
  options.nfe.reset();
  options.color_fix = ColorFix::none;
  return options;
}

// Whole and in tiles, at the model's scale, below it and above, with every sampler.
std::vector<UpscaleOptions> many_ways() {
  return {{.nfe = 3},
          {.nfe = 3, .tile = 0},
          {.sampler = SamplerKind::dpmpp, .nfe = 4, .color_fix = ColorFix::consistency},
          {.nfe = 2, .color_fix = ColorFix::neutral},
          {.t = 5, .sampler = SamplerKind::ddpm, .tile = 0},
          {.weight_map = false, .nfe = 3, .eta = 0.8},
          {.nfe = 2, .guidance = 1.4},
          {.nfe = 2, .guidance = 0.5, .color_fix = ColorFix::none, .tile = 0},
          {.nfe = 2, .color_fix = ColorFix::consistency, .scale = 1.37},
          {.nfe = 2, .color_fix = ColorFix::consistency, .scale = 3.0},
          {.nfe = 2, .width = 160, .tile = 0}};
}

TEST_F(MaskedUpscaleTest, WhiteIsNoMask) {
  for (const UpscaleOptions& options : many_ways()) {
    EXPECT_TRUE(at::equal(run(options, bytes(28, 40, 255)), run(options)));
  }
}

TEST_F(MaskedUpscaleTest, BlackIsXSr) {
  for (const UpscaleOptions& options : many_ways()) {
    EXPECT_TRUE(at::equal(run(options, bytes(28, 40, 0)), run(at_zero(options))));
  }
}

TEST_F(MaskedUpscaleTest, BlackIsXSrUpToAHardEdge) {
  for (const UpscaleOptions& options : many_ways()) {
    const at::Tensor x_sr = run(at_zero(options));
    const std::int64_t edge = (20 * x_sr.size(2)) / 40;
    for (const at::Tensor& mask :
         {right_half(28, 40, 20), right_half(x_sr.size(1), x_sr.size(2), edge)}) {
      const at::Tensor made = run(options, mask);
      EXPECT_TRUE(at::equal(made.slice(2, 0, edge), x_sr.slice(2, 0, edge)));
      EXPECT_GT((made - x_sr).slice(2, edge + 12).abs().mean().item<float>(), 0.01F);
    }
  }
}

TEST_F(MaskedUpscaleTest, WhiteFarFromAnEdgeIsNoMask) {
  const at::Tensor made = run({.nfe = 3}, right_half(28, 40, 10));
  EXPECT_TRUE(at::allclose(made.slice(2, 44), run({.nfe = 3}).slice(2, 44), 0, 1e-5));
}

TEST_F(MaskedUpscaleTest, InTilesItIsThePictureInOnePiece) {
  auto generator = at::detail::createCPUGenerator(8);
  const at::Tensor soft = at::rand({28, 40}, generator).mul(255).to(at::kByte);
  for (UpscaleOptions options : many_ways()) {
    options.tile.reset();
    const at::Tensor tiles = run(options, soft);
    options.tile = 0;
    EXPECT_TRUE(at::allclose(tiles, run(options, soft), 0, 2e-5));
  }
}

// What is invented is another colour here, which a hard edge of the mask would show as a step.
TEST_F(MaskedUpscaleTest, AHardEdgeIsNoStep) {
  TestModelOptions options;
  options.parameterisation = Parameterisation::x0;
  options.regressor_source =
      "def forward(self, lr):\n    return torch.zeros([lr.size(0), 3, 2 * lr.size(2), 2 * "
      "lr.size(3)])\n";
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return torch.ones_like(x_t)\n";
  make(options);
  for (const std::optional<int> tile : {std::optional<int>(0), std::optional<int>()}) {
    const at::Tensor made = run({.nfe = 2, .tile = tile}, right_half(28, 40, 20));
    EXPECT_EQ(made.slice(2, 0, 40).abs().max().item<float>(), 0.0F);
    EXPECT_EQ(made.slice(2, 44).min().item<float>(), 1.0F);
    EXPECT_LE(at::diff(made, 1, 2).abs().max().item<float>(), 0.4F);
  }
}

// Grey has less noise than white and more than black.
TEST_F(MaskedUpscaleTest, GreyIsBetween) {
  const at::Tensor x_sr = run(at_zero({.nfe = 3}));
  const auto distance = [&](int grey) {
    return (run({.nfe = 3}, bytes(28, 40, grey)) - x_sr).abs().mean().item<float>();
  };
  EXPECT_LT(distance(60), distance(150));
  EXPECT_LT(distance(150), distance(255));
}

TEST_F(MaskedUpscaleTest, RefusesAMaskThatDoesNotFit) {
  UpscalePlan plan = this->plan({});
  EXPECT_THROW(plan.set_mask(bytes(28, 41, 0)), InputError);
  EXPECT_THROW(plan.set_mask(bytes(40, 28, 0)), InputError);
  EXPECT_NO_THROW(plan.set_mask(bytes(56, 80, 0)));
  UpscalePlan noise = this->plan({.start = Start::noise});
  EXPECT_THROW(noise.set_mask(bytes(28, 40, 0)), UsageError);
  UpscalePlan zero = this->plan({.t = 0});
  zero.set_mask(bytes(28, 40, 0));
  EXPECT_FALSE(zero.is_masked());
}

TEST_F(MaskedUpscaleTest, ShowsTheMaskAndTheWeightMap) {
  UpscaleObserver observer;
  std::vector<at::Tensor> masks;
  std::vector<at::Tensor> maps;
  observer.on_state = [&](const UpscaleState& state) {
    if (state.kind == UpscaleState::Kind::mask) {
      masks.push_back(state.value);
    }
  };
  observer.on_weight_map = [&](const at::Tensor& rows, std::int64_t top) {
    EXPECT_EQ(top == 0, maps.empty());
    maps.push_back(rows);
  };
  const auto nothing = [](const at::Tensor&, const at::Tensor&) {};
  UpscalePlan whole = plan({.nfe = 1, .tile = 0});
  whole.set_mask(right_half(28, 40, 20));
  upscaler_->upscale(picture_, whole, nothing, observer);
  ASSERT_EQ(masks.size(), 1U);
  EXPECT_EQ(masks[0].sizes(), (at::IntArrayRef{1, 1, 56, 80}));
  ASSERT_EQ(maps.size(), 1U);
  const at::Tensor map = maps[0];
  EXPECT_EQ(map.sizes(), (at::IntArrayRef{1, 1, 56, 80}));
  maps.clear();
  upscaler_->upscale(picture_, plan({.nfe = 1, .scale = 3.0}), nothing, observer);  // of pass 1
  EXPECT_GT(maps.size(), 1U);
  EXPECT_TRUE(at::allclose(at::cat(maps, 2), map, 0, 1e-5));
}

}  // namespace
}  // namespace srdiff
