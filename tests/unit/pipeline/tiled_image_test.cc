#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <tuple>

#include "srdiff/error.h"
#include "srdiff/resize.h"
#include "srdiff/upscaler.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

constexpr const char* tiles_of_16 = R"({"tile": {"size": 16, "overlap": 8}})";

at::Tensor picture(std::int64_t h, std::int64_t w) {
  auto generator = at::detail::createCPUGenerator(7);
  return at::rand({1, 3, h, w}, generator).mul(255).round().div(255).mul(2).sub(1);
}

/// The tiny networks see 2 output pixels around, fewer than the 4 at a tile's edge that the blend
/// leaves out, so that tiles must give the picture in one piece.
class TiledRunTest : public ::testing::Test {
 protected:
  TiledRunTest() {
    TestModelOptions options;
    options.manifest_patch = tiles_of_16;
    upscaler_.emplace(Model::load(make_test_model(folder_.path() / "model", options)));
  }

  UpscaleSettings settings(const UpscaleOptions& options) const {
    return resolve_settings(options, upscaler_->model().manifest());
  }
  at::Tensor run(const at::Tensor& lr, UpscaleOptions options, std::optional<int> tile) const {
    options.tile = tile;
    return upscaler_->upscale(lr, settings(options));
  }
  void expect_no_seam(const UpscaleOptions& options) const {
    const at::Tensor lr = picture(40, 56);
    EXPECT_TRUE(at::allclose(run(lr, options, {}), run(lr, options, 0), 0, 1e-5));
  }

  TemporaryFolder folder_;
  std::optional<Upscaler> upscaler_;
};

TEST_F(TiledRunTest, GivesThePictureInOnePieceUnderEverySampler) {
  expect_no_seam({.nfe = 4});
  expect_no_seam({.sampler = SamplerKind::dpmpp, .nfe = 5});
  expect_no_seam({.t = 6, .sampler = SamplerKind::ddpm});
  expect_no_seam({.nfe = 3, .eta = 0.7});
  expect_no_seam({.nfe = 1});
  expect_no_seam({.nfe = 2, .guidance = 1.5});
}

TEST_F(TiledRunTest, GivesThePictureInOnePieceFromEveryStart) {
  expect_no_seam({.t = 0});
  expect_no_seam({.t = 0, .color_fix = ColorFix::consistency});
  expect_no_seam({.weight_map = false, .nfe = 3});
  expect_no_seam({.start = Start::sr, .nfe = 3});
  expect_no_seam({.start = Start::noise, .nfe = 3});
  expect_no_seam({.nfe = 3, .color_fix = ColorFix::consistency});
  expect_no_seam({.nfe = 3, .color_fix = ColorFix::neutral});
}

TEST_F(TiledRunTest, GivesThePictureInOnePieceInASecondPassToo) {
  Image image;
  image.rgb = picture(20, 28)[0];
  for (const double scale : {3.0, 4.0, 8.0}) {
    const UpscaleOptions tiles = {.nfe = 3, .scale = scale};
    UpscaleOptions whole = tiles;
    whole.tile = 0;
    EXPECT_TRUE(at::allclose(upscaler_->upscale(image, settings(tiles)).rgb,
                             upscaler_->upscale(image, settings(whole)).rgb, 0, 2e-5))
        << scale;
  }
}

// Greys and colours beside each other, in tiles and in one piece, from one pass and from two.
TEST_F(TiledRunTest, WhatIsNeutralStaysNeutral) {
  Image image;
  image.rgb = picture(40, 56)[0].clone();
  image.rgb.slice(2, 0, 28).copy_(image.rgb.slice(2, 0, 28).mean(0, true).expand({3, 40, 28}));
  const auto difference = [](const at::Tensor& rgb) {
    return (rgb.amax(0) - rgb.amin(0)).max().item<double>();
  };
  for (const double scale : {2.0, 3.0}) {
    for (const std::optional<int> tile : {std::optional<int>(0), std::optional<int>()}) {
      const auto run = [&](ColorFix fix) {
        return upscaler_->upscale(
            image, settings({.nfe = 2, .color_fix = fix, .scale = scale, .tile = tile}));
      };
      const at::Tensor fixed = run(ColorFix::neutral).rgb;
      const at::Tensor plain = run(ColorFix::none).rgb;
      const auto greys = static_cast<std::int64_t>(24 * scale);
      EXPECT_LT(difference(fixed.slice(2, 0, greys)), 1e-4);
      EXPECT_GT(difference(plain.slice(2, 0, greys)), 0.02);
      EXPECT_GT(difference(fixed.slice(2, greys)), 0.5);
      if (scale == 2.0) {
        EXPECT_TRUE(at::equal(fixed.slice(2, 64), plain.slice(2, 64)));
      }
    }
  }
}

TEST_F(TiledRunTest, GivesThePictureInOnePieceWhenTheDenoiserIsConditionedOnXSr) {
  TestModelOptions options;
  options.manifest_patch = R"({"tile": {"size": 16, "overlap": 8}, "condition": "x_sr"})";
  upscaler_.emplace(Model::load(make_test_model(folder_.path() / "x_sr", options)));
  expect_no_seam({.nfe = 3});
  expect_no_seam({.weight_map = false, .nfe = 3});
  expect_no_seam({.start = Start::noise, .nfe = 3});
}

TEST_F(TiledRunTest, SizesThatTilesDoNotFillAreThePictureInOnePieceToItsEdges) {
  // On sides of 17 and 20 the last two tiles share more than an overlap, on 27 the last three do.
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{
           {17, 16}, {16, 18}, {37, 51}, {9, 40}, {20, 27}, {28, 25}}) {
    const at::Tensor lr = picture(h, w);
    const at::Tensor tiled = run(lr, {.nfe = 3}, {});
    const at::Tensor whole = run(lr, {.nfe = 3}, 0);
    ASSERT_EQ(tiled.sizes(), whole.sizes());
    EXPECT_TRUE(at::allclose(tiled, whole, 0, 1e-5)) << h << "x" << w;
  }
}

TEST_F(TiledRunTest, TilesThatAreFittedToThePictureShowNoSeam) {
  TestModelOptions options;
  options.manifest_patch = R"({"tile": {"size": 32, "overlap": 8}})";
  upscaler_.emplace(Model::load(make_test_model(folder_.path() / "fitted", options)));
  for (const auto& [h, w] :
       std::vector<std::pair<int, int>>{{56, 40}, {37, 51}, {9, 120}, {65, 33}}) {
    const at::Tensor lr = picture(h, w);
    EXPECT_TRUE(at::allclose(run(lr, {.nfe = 3}, {}), run(lr, {.nfe = 3}, 0), 0, 1e-5))
        << h << "x" << w;
  }
}

TEST_F(TiledRunTest, OneTileIsThePictureInOnePieceBitForBit) {
  const at::Tensor lr = picture(16, 13);
  EXPECT_TRUE(at::equal(run(lr, {}, {}), run(lr, {}, 0)));
}

TEST_F(TiledRunTest, DoesNotDependOnThreadsOrCompany) {
  const at::Tensor lr = at::cat({picture(40, 24), picture(40, 24).flip(2)});
  const at::Tensor together = run(lr, {.nfe = 2}, {});
  const int before = at::get_num_threads();
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(run(lr.slice(0, 1), {.nfe = 2}, {}), together.slice(0, 1)));
  }
  at::set_num_threads(before);
}

TEST_F(TiledRunTest, ATileThatOverflowsInAReducedPrecisionIsMadeInFloat32) {
  TestModelOptions options;
  options.manifest_patch = tiles_of_16;
  options.denoiser_source = support::overflows_in_bf16;
  const auto folder = make_test_model(folder_.path() / "overflows", options);
  const at::Tensor lr = picture(40, 56);
  const auto run_in = [&](c10::ScalarType precision) {
    const Upscaler upscaler(Model::load(folder, c10::kCPU, precision));
    return upscaler.upscale(lr, resolve_settings({.beta = 1.0}, upscaler.model().manifest()));
  };
  // Where no value of a tile is large, bf16 stays.
  EXPECT_TRUE(at::allclose(run_in(c10::kBFloat16), run_in(c10::kFloat), 0, 0.01));
}

TEST_F(TiledRunTest, ATileWithoutFiniteValuesIsRefused) {
  TestModelOptions options;
  options.manifest_patch = tiles_of_16;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    return torch.where(x_t.abs() > 1.5, x_t * float('nan'), x_t)\n";
  upscaler_.emplace(Model::load(make_test_model(folder_.path() / "nan", options)));
  EXPECT_THROW(run(picture(40, 56), {.beta = 1.0}, {}), InputError);
}

/// The network calls that progress counts for 3 rows of 2 tiles.
std::int64_t counted_calls(const Upscaler& upscaler, const UpscaleSettings& settings) {
  UpscaleProgress last = {0, 0};
  UpscaleObserver observer;
  observer.on_progress = [&](const UpscaleProgress& progress) {
    EXPECT_GT(progress.calls_done, last.calls_done);
    last = progress;
  };
  upscaler.upscale(picture(32, 24), settings, observer);
  EXPECT_EQ(last.calls_done, last.calls_total);
  return last.calls_total;
}

TEST_F(TiledRunTest, CountsNetworkCallsOverTiles) {
  constexpr std::int64_t tiles = 6;
  EXPECT_EQ(counted_calls(*upscaler_, settings({.nfe = 4})), tiles * (2 + 4));
  EXPECT_EQ(counted_calls(*upscaler_, settings({.weight_map = false, .nfe = 4})), tiles * (1 + 4));
  EXPECT_EQ(counted_calls(*upscaler_, settings({.t = 0})), tiles) << "the regressor alone";
}

TEST_F(TiledRunTest, StopsWhenAsked) {
  int asked = 0;
  UpscaleObserver observer;
  observer.cancelled = [&] { return ++asked == 9; };
  EXPECT_THROW(upscaler_->upscale(picture(40, 40), settings({}), observer), Cancelled);
  EXPECT_EQ(asked, 9);
}

TEST_F(TiledRunTest, RowsComeFewAtATimeAndJoinToThePicture) {
  Image image;
  image.rgb = picture(80, 24)[0];
  image.alpha = at::linspace(0, 1, 80 * 24).reshape({1, 80, 24});
  const UpscaleSettings chosen = settings({.nfe = 2});
  std::vector<at::Tensor> rgb;
  std::vector<at::Tensor> alpha;
  upscaler_->upscale(image, upscaler_->plan(80, 24, chosen),
                     [&](const at::Tensor& rows, const at::Tensor& alpha_rows) {
                       EXPECT_LE(rows.size(1), 2 * 16);
                       rgb.push_back(rows);
                       alpha.push_back(alpha_rows);
                     });
  const Image whole = upscaler_->upscale(image, chosen);
  EXPECT_TRUE(at::equal(at::cat(rgb, 1), whole.rgb));
  EXPECT_TRUE(at::allclose(at::cat(alpha, 1),
                           resize_bicubic(image.alpha.unsqueeze(0), 160, 48)[0].clamp(0, 1), 0,
                           1e-5));
}

// Without noise, whose key in later passes is not that of their input.
TEST_F(TiledRunTest, AnyScaleIsPassesAndOneResize) {
  Image image;
  image.rgb = picture(20, 24)[0];
  for (const double scale : {1.0, 1.5, 2.0, 3.0, 4.0, 5.25}) {
    const UpscaleSettings chosen =
        settings({.weight_map = false, .beta = 0.0, .nfe = 2, .scale = scale});
    at::Tensor expected = image.rgb.unsqueeze(0);
    for (double reached = 1.0; reached == 1.0 || reached < scale; reached *= 2.0) {
      expected = upscaler_->upscale(expected, chosen);
    }
    const auto height = static_cast<std::int64_t>(20 * scale);
    const auto width = static_cast<std::int64_t>(24 * scale);
    expected = resize_bicubic(expected, height, width).clamp(-1, 1);
    const Image result = upscaler_->upscale(image, chosen);
    ASSERT_EQ(result.rgb.sizes(), (at::IntArrayRef{3, height, width})) << scale;
    EXPECT_TRUE(at::allclose(result.rgb, expected[0], 0, 1e-4)) << scale;
  }
}

TEST_F(TiledRunTest, TheColourFixMakesTheOutputAgreeWithItsInput) {
  const at::Tensor lr = resize_bicubic(picture(8, 10), 32, 40).clamp(-1, 1);
  const auto residual = [&](ColorFix fix) {
    const at::Tensor result = run(lr, {.nfe = 2, .color_fix = fix}, {});
    return (resize_bicubic(result, lr.size(2), lr.size(3)) - lr).abs().mean().item<double>();
  };
  EXPECT_LT(residual(ColorFix::consistency), 0.4 * residual(ColorFix::none));
  EXPECT_LT(residual(ColorFix::consistency), 2.0 / 255);  // a level
}

TEST_F(TiledRunTest, TilesComeFromTheOptionsOrTheModel) {
  EXPECT_EQ(settings({}).tile.size, 16);
  EXPECT_EQ(settings({}).tile.overlap, 8);
  EXPECT_TRUE(settings({}).tile.fitted);
  EXPECT_FALSE(settings({.tile = 16}).tile.fitted);
  EXPECT_EQ(settings({.tile = 0}).tile.size, 0);
  EXPECT_FALSE(settings({.tile = 0}).tile.fitted);
  EXPECT_EQ(settings({.tile = 30}).tile.size, 32);
  EXPECT_EQ(settings({.tile = 32, .tile_overlap = 6}).tile.overlap, 8);
  EXPECT_THROW(settings({.tile = -1}), UsageError);
  EXPECT_THROW(settings({.tile = 32, .tile_overlap = 17}), UsageError);
  EXPECT_THROW(settings({.scale = 0.5}), UsageError);
  EXPECT_THROW(settings({.scale = 65.0}), UsageError);
}

TEST(Tiles, AModelThatSeesTheWholePictureTakesNone) {
  const TemporaryFolder folder;
  const Manifest manifest = read_manifest(make_test_model(folder.path() / "model"));
  EXPECT_EQ(resolve_settings({}, manifest).tile.size, 0);
  EXPECT_FALSE(resolve_settings({}, manifest).tile.fitted);
  EXPECT_EQ(resolve_settings({.tile = 0}, manifest).tile.size, 0);
  EXPECT_THROW(resolve_settings({.tile = 32}, manifest), UsageError);
  EXPECT_THROW(resolve_settings({.tile_overlap = 4}, manifest), UsageError);
}

}  // namespace
}  // namespace srdiff
