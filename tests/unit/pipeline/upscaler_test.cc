#include "srdiff/upscaler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "srdiff/error.h"
#include "srdiff/intermediate.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"
#include "support/sample.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

at::Tensor pictures(std::int64_t n, std::int64_t h, std::int64_t w) {
  auto generator = at::detail::createCPUGenerator(11);
  return at::rand({n, 3, h, w}, generator).mul(255).round().div(255).mul(2).sub(1);
}

class UpscalerTest : public ::testing::Test {
 protected:
  Upscaler make(const TestModelOptions& options = {}) {
    return Upscaler(Model::load(make_test_model(folder_.path() / "model", options)));
  }
  static UpscaleSettings settings(const Upscaler& upscaler, const UpscaleOptions& options = {}) {
    return resolve_settings(options, upscaler.model().manifest());
  }
  static at::Tensor run(const Upscaler& upscaler, const at::Tensor& lr,
                        const UpscaleOptions& options = {}) {
    return upscaler.upscale(lr, settings(upscaler, options));
  }

  TemporaryFolder folder_;
};

TEST_F(UpscalerTest, IsTheRegressorEquationOneAndTheReverseSteps) {
  const Upscaler upscaler = make();
  const Model& model = upscaler.model();
  const at::Tensor lr = pictures(1, 8, 12);
  const UpscaleSettings chosen = settings(upscaler);

  const at::Tensor condition = resize_bicubic(lr, 16, 24).clamp(-1, 1);
  const at::Tensor x_sr = model.regress(lr);
  const at::Tensor eps = noise_batch({noise_key(0, lr[0])}, chosen.t, 16, 24);
  const at::Tensor x_t =
      intermediate_state(model.schedule(), chosen.t, x_sr, model.weigh(x_sr), chosen.beta, eps);
  const at::Tensor expected = support::sample(
      model.schedule(), step_grid(model.schedule(), chosen.t, chosen.nfe, chosen.grid), x_t,
      [&](const at::Tensor& x, int t) { return model.denoise(condition, x, t); },
      [](int) { return at::Tensor(); }, {SamplerKind::ddim, Parameterisation::eps});
  EXPECT_TRUE(at::equal(run(upscaler, lr), expected));
}

TEST_F(UpscalerTest, GuidanceGoesAwayFromXSr) {
  const Upscaler upscaler = make();
  const Model& model = upscaler.model();
  const at::Tensor lr = pictures(1, 8, 12);
  const UpscaleSettings chosen = settings(upscaler, {.t = 200, .nfe = 2, .guidance = 1.5});

  const at::Tensor condition = resize_bicubic(lr, 16, 24).clamp(-1, 1);
  const at::Tensor x_sr = model.regress(lr);
  const at::Tensor eps = noise_batch({noise_key(0, lr[0])}, chosen.t, 16, 24);
  const at::Tensor x_t =
      intermediate_state(model.schedule(), chosen.t, x_sr, model.weigh(x_sr), chosen.beta, eps);
  SamplerOptions options = {SamplerKind::ddim, Parameterisation::eps};
  options.guidance = 1.5;
  const at::Tensor expected = support::sample(
      model.schedule(), step_grid(model.schedule(), chosen.t, chosen.nfe, chosen.grid), x_t,
      [&](const at::Tensor& x, int t) { return model.denoise(condition, x, t); },
      [](int) { return at::Tensor(); }, options, {}, x_sr);
  EXPECT_TRUE(at::equal(upscaler.upscale(lr, chosen), expected));
  EXPECT_FALSE(at::equal(run(upscaler, lr, {.t = 200, .nfe = 2}), expected));
  EXPECT_TRUE(at::allclose(run(upscaler, lr, {.nfe = 3, .guidance = 0.0}), x_sr, 0, 1e-6));
}

TEST_F(UpscalerTest, AtZeroIsWhatTheRegressorGives) {
  const std::filesystem::path folder = make_test_model(folder_.path() / "model");
  const Upscaler upscaler(Model::load(folder, read_manifest(folder), c10::kCPU, c10::kFloat,
                                      {.weight_map = false, .denoiser = false}));
  const at::Tensor lr = pictures(3, 8, 12);
  EXPECT_TRUE(at::equal(run(upscaler, lr, {.t = 0}), upscaler.model().regress(lr)));
  UpscaleObserver observer;
  std::vector<UpscaleState::Kind> shown;
  observer.on_state = [&](const UpscaleState& state) { shown.push_back(state.kind); };
  upscaler.upscale(lr.slice(0, 0, 1), settings(upscaler, {.t = 0}), observer);
  EXPECT_EQ(shown, std::vector<UpscaleState::Kind>{UpscaleState::Kind::x_sr});
  observer = {};
  observer.cancelled = [] { return true; };
  EXPECT_THROW(upscaler.upscale(lr, settings(upscaler, {.t = 0}), observer), Cancelled);
}

TEST_F(UpscalerTest, AnImageDoesNotDependOnItsCompanyOrTheThreads) {
  const Upscaler upscaler = make();
  const at::Tensor lr = pictures(5, 7, 9);
  const at::Tensor together = run(upscaler, lr);
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    for (std::int64_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(at::equal(run(upscaler, lr.slice(0, i, i + 1))[0], together[i]));
    }
    EXPECT_TRUE(at::equal(run(upscaler, lr.flip(0), {.batch = 2}), together.flip(0)));
  }
  at::set_num_threads(before);
}

TEST_F(UpscalerTest, TheSeedChangesTheResult) {
  const Upscaler upscaler = make();
  const at::Tensor lr = pictures(1, 8, 8);
  EXPECT_TRUE(at::equal(run(upscaler, lr, {.seed = 4}), run(upscaler, lr, {.seed = 4})));
  EXPECT_FALSE(at::equal(run(upscaler, lr, {.seed = 4}), run(upscaler, lr, {.seed = 5})));
}

TEST_F(UpscalerTest, TakesAnySizeWithinItsLimit) {
  const Upscaler upscaler = make();
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{{2, 2}, {3, 17}, {5, 4}, {16, 2}}) {
    const at::Tensor result = run(upscaler, pictures(1, h, w));
    EXPECT_EQ(result.sizes(), (at::IntArrayRef{1, 3, 2 * h, 2 * w}));
    EXPECT_TRUE(at::isfinite(result).all().item<bool>());
    EXPECT_LE(result.abs().max().item<float>(), 1.0F);
  }
}

TEST_F(UpscalerTest, PaddingIsCroppedAgain) {
  TestModelOptions options;  // the condition itself, so that the crop shows
  options.parameterisation = Parameterisation::x0;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return condition\n";
  const Upscaler upscaler = make(options);
  const at::Tensor lr = pictures(1, 6, 6);  // padded to 8×8 by reflection
  const at::Tensor padded = at::reflection_pad2d(lr, {0, 2, 0, 2});
  const at::Tensor expected =
      resize_bicubic(padded, 16, 16).clamp(-1, 1).slice(2, 0, 12).slice(3, 0, 12);
  EXPECT_TRUE(at::allclose(run(upscaler, lr), expected, 0, 1e-6));
}

TEST_F(UpscalerTest, RefusesASizeThatIsNotThePlans) {
  const Upscaler upscaler = make();
  const UpscaleSettings chosen = settings(upscaler);
  const UpscalePlan plan = upscaler.plan(8, 8, chosen);
  EXPECT_TRUE(
      at::equal(upscaler.upscale(pictures(1, 8, 8), plan), run(upscaler, pictures(1, 8, 8))));
  EXPECT_THROW(upscaler.upscale(pictures(1, 8, 9), plan), InputError);
  EXPECT_EQ(run(upscaler, pictures(1, 1, 1)).sizes(), (at::IntArrayRef{1, 3, 2, 2}));
}

TEST_F(UpscalerTest, ShowsTheStatesOnTheWay) {
  const Upscaler upscaler = make();
  std::vector<std::pair<UpscaleState::Kind, at::Tensor>> states;
  UpscaleObserver observer;
  observer.on_state = [&](const UpscaleState& state) {
    states.emplace_back(state.kind, state.value);
  };
  const at::Tensor lr = pictures(1, 5, 6);
  const at::Tensor result = upscaler.upscale(lr, settings(upscaler, {.nfe = 3}), observer);
  using Kind = UpscaleState::Kind;
  ASSERT_EQ(states.size(), 6U);
  EXPECT_EQ(states[0].first, Kind::x_sr);
  EXPECT_EQ(states[1].first, Kind::weight_map);
  EXPECT_EQ(states[1].second.sizes(), (at::IntArrayRef{1, 1, 10, 12}));
  EXPECT_EQ(states[2].first, Kind::x_t);
  EXPECT_EQ(states[5].first, Kind::x0);
  EXPECT_TRUE(at::equal(states[5].second, result));
}

TEST_F(UpscalerTest, ReportsProgressOverAllImages) {
  const Upscaler upscaler = make();
  std::vector<std::int64_t> done;
  UpscaleObserver observer;
  observer.on_progress = [&](const UpscaleProgress& progress) {
    EXPECT_EQ(progress.calls_total, 10);
    done.push_back(progress.calls_done);
  };
  upscaler.upscale(pictures(2, 4, 4), settings(upscaler, {.nfe = 3}), observer);
  EXPECT_EQ(done, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(UpscalerTest, ProgressGoesOnFromPassToPassAndFromPictureToPicture) {
  const Upscaler upscaler = make();  // enlarges twice
  const UpscaleSettings two_passes = settings(upscaler, {.nfe = 3, .scale = 4.0});
  Image image;
  image.rgb = pictures(1, 4, 4)[0];
  const UpscalePlan plan = upscaler.plan(4, 4, two_passes);
  ASSERT_EQ(plan.passes().size(), 2U);
  std::vector<std::int64_t> done;
  UpscaleObserver observer;
  observer.on_progress = [&](const UpscaleProgress& progress) {
    EXPECT_EQ(progress.calls_total, 2 * 2 * 5);
    done.push_back(progress.calls_done);
  };
  upscaler.upscale({image, image}, plan, observer);
  ASSERT_EQ(done.size(), 20U);
  EXPECT_EQ(done.front(), 1);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), 20);
}

TEST_F(UpscalerTest, StopsWhenAsked) {
  const Upscaler upscaler = make();
  int asked = 0;
  UpscaleObserver observer;
  observer.cancelled = [&] { return ++asked == 3; };
  EXPECT_THROW(upscaler.upscale(pictures(1, 4, 4), settings(upscaler), observer), Cancelled);
  EXPECT_EQ(asked, 3);
}

TEST_F(UpscalerTest, WhatOverflowsInAReducedPrecisionIsMadeInFloat32) {
  TestModelOptions options;
  options.denoiser_source = support::overflows_in_bf16;
  const std::filesystem::path folder = make_test_model(folder_.path() / "model", options);
  const Upscaler exact(Model::load(folder));
  const Upscaler reduced(Model::load(folder, c10::kCPU, c10::kBFloat16));
  ASSERT_EQ(reduced.model().precision(), c10::kBFloat16);
  const at::Tensor lr = pictures(2, 8, 8);
  EXPECT_TRUE(at::equal(run(reduced, lr, {.beta = 1.0}), run(exact, lr, {.beta = 1.0})));
}

TEST_F(UpscalerTest, APictureWithoutFiniteValuesIsRefused) {
  for (const std::string value : {"nan", "inf"}) {  // clipping makes a number of inf
    TestModelOptions options;
    options.denoiser_source =
        "def forward(self, condition, x_t, noise_level):\n"
        "    return torch.where(x_t.abs() > 1.5, x_t * float('" +
        value + "'), x_t)\n";
    EXPECT_THROW(run(make(options), pictures(1, 8, 8), {.beta = 1.0}), InputError) << value;
  }
}

TEST_F(UpscalerTest, AnEmptyBatchGivesAnEmptyBatch) {
  const Upscaler upscaler = make();
  EXPECT_EQ(run(upscaler, at::zeros({0, 3, 4, 4})).sizes(), (at::IntArrayRef{0, 3, 8, 8}));
}

TEST_F(UpscalerTest, AStartFromNoiseNeedsNoRegressor) {
  TestModelOptions options;
  options.regressor = false;
  options.weight_map = false;
  const Upscaler upscaler = make(options);
  EXPECT_EQ(run(upscaler, pictures(1, 4, 4), {.start = Start::noise}).size(2), 8);
  EXPECT_THROW(settings(upscaler), ModelError);
}

TEST_F(UpscalerTest, TheDenoiserIsGivenWhatTheManifestSays) {
  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return condition + 0 * x_t\n";
  options.parameterisation = Parameterisation::x0;
  const at::Tensor lr = pictures(2, 8, 12);
  EXPECT_TRUE(at::allclose(run(make(options), lr, {.nfe = 1}),
                           resize_bicubic(lr, 16, 24).clamp(-1, 1), 0, 1e-6));

  options.manifest_patch = R"({"condition": "x_sr"})";
  const Upscaler upscaler = make(options);
  for (const Start start : {Start::predicted, Start::sr, Start::noise}) {
    EXPECT_TRUE(at::allclose(run(upscaler, lr, {.start = start, .nfe = 1}),
                             upscaler.model().regress(lr), 0, 1e-6));
  }
}

TEST_F(UpscalerTest, TheStartsDifferAndSrIsPredictedWithoutItsMap) {
  const Upscaler upscaler = make();
  const at::Tensor lr = pictures(1, 8, 8);
  const at::Tensor predicted = run(upscaler, lr, {.beta = 0.4});
  const at::Tensor sr = run(upscaler, lr, {.start = Start::sr, .beta = 0.4});
  const at::Tensor no_map = run(upscaler, lr, {.weight_map = false, .beta = 0.4});
  EXPECT_TRUE(at::equal(sr, no_map));
  EXPECT_FALSE(at::allclose(sr, predicted, 0, 1e-3));
}

TEST_F(UpscalerTest, APictureKeepsItsKind) {
  const Upscaler upscaler = make();
  Image image;
  image.rgb = pictures(1, 6, 5)[0];
  image.alpha = at::zeros({1, 6, 5});
  image.alpha.slice(2, 0, 2).fill_(1.0);
  image.bit_depth = 16;
  const Image result = upscaler.upscale(image, settings(upscaler));
  EXPECT_EQ(result.bit_depth, 16);
  EXPECT_FALSE(result.grey);
  EXPECT_EQ(result.alpha.sizes(), (at::IntArrayRef{1, 12, 10}));
  EXPECT_NEAR(result.alpha[0][6][0].item<float>(), 1.0F, 0.05F);
  EXPECT_NEAR(result.alpha[0][6][9].item<float>(), 0.0F, 0.05F);
}

TEST_F(UpscalerTest, AnOpaquePictureWithAlphaGivesTheColoursOfOneWithout) {
  const Upscaler upscaler = make();
  Image image;
  image.rgb = pictures(1, 6, 5)[0];
  image.alpha = at::ones({1, 6, 5});
  const Image result = upscaler.upscale(image, settings(upscaler));
  EXPECT_TRUE(at::equal(result.rgb, run(upscaler, image.rgb.unsqueeze(0))[0]));
  EXPECT_TRUE(at::allclose(result.alpha, at::ones({1, 12, 10}), 0, 1e-6));
}

TEST_F(UpscalerTest, WhatAFileHidesUnderTransparentPartsHasNoSay) {
  const Upscaler upscaler = make();
  Image image;
  image.rgb = pictures(1, 9, 7)[0];
  image.alpha = at::zeros({1, 9, 7});
  image.alpha.slice(1, 3, 6).slice(2, 2, 5).fill_(1.0);
  image.alpha.slice(1, 3, 6).slice(2, 1, 2).fill_(0.25);
  const Image expected = upscaler.upscale(image, settings(upscaler));
  for (const double hidden : {-1.0, 1.0}) {
    Image other = image;
    other.rgb = at::where(image.alpha > 0, image.rgb, at::full_like(image.rgb, hidden));
    EXPECT_TRUE(at::equal(upscaler.upscale(other, settings(upscaler)).rgb, expected.rgb));
  }
  image.alpha.zero_();
  EXPECT_TRUE(upscaler.upscale(image, settings(upscaler)).rgb.isfinite().all().item<bool>());
}

// One visible colour must stay that colour up to the edge and beyond it: no halo.
TEST_F(UpscalerTest, ColoursGoOnUnderTransparentParts) {
  const Upscaler upscaler = make();
  Image plain;
  plain.rgb = at::full({3, 8, 8}, 0.5);
  Image cut = plain;
  cut.alpha = at::zeros({1, 8, 8});
  cut.alpha.slice(1, 2, 5).slice(2, 3, 7).fill_(1.0);
  cut.rgb = at::where(cut.alpha > 0, plain.rgb, at::full_like(plain.rgb, -1.0));
  EXPECT_TRUE(at::allclose(upscaler.upscale(cut, settings(upscaler)).rgb,
                           upscaler.upscale(plain, settings(upscaler)).rgb, 0, 1e-4));
}

class ResolveTest : public UpscalerTest {
 protected:
  Manifest manifest_ = read_manifest(make_test_model(folder_.path() / "model"));
};

TEST_F(ResolveTest, TakesTheModelsRecommendations) {
  const UpscaleSettings chosen = resolve_settings({}, manifest_);
  EXPECT_EQ(chosen.t, manifest_.defaults.t);
  EXPECT_EQ(chosen.beta, manifest_.defaults.beta);
  EXPECT_EQ(chosen.nfe, manifest_.defaults.nfe);
  EXPECT_TRUE(chosen.weight_map);
}

TEST_F(ResolveTest, CountsFollowFromTheSamplerAndTheStart) {
  EXPECT_EQ(resolve_settings({.sampler = SamplerKind::ddpm}, manifest_).nfe, manifest_.defaults.t);
  EXPECT_EQ(resolve_settings({.t = 40, .sampler = SamplerKind::ddpm}, manifest_).nfe, 40);
  EXPECT_EQ(resolve_settings({.t = 3}, manifest_).nfe, 3);
  EXPECT_EQ(resolve_settings({.start = Start::noise}, manifest_).t, 2000);
  EXPECT_FALSE(resolve_settings({.start = Start::sr}, manifest_).weight_map);
}

TEST_F(ResolveTest, AtZeroIsTheRegressorAlone) {
  manifest_.defaults.color_fix = ColorFix::consistency;
  const UpscaleSettings chosen = resolve_settings({.t = 0}, manifest_);
  EXPECT_EQ(chosen.nfe, 0);
  EXPECT_FALSE(chosen.weight_map);
  EXPECT_EQ(chosen.color_fix, ColorFix::none);
  EXPECT_FALSE(needed_parts(chosen).denoiser);
  EXPECT_FALSE(needed_parts(chosen).weight_map);
  EXPECT_EQ(resolve_settings({.t = 0, .sampler = SamplerKind::ddpm}, manifest_).nfe, 0);
  EXPECT_EQ(resolve_settings({.t = 0, .color_fix = ColorFix::consistency}, manifest_).color_fix,
            ColorFix::consistency);
  manifest_.weight_map.reset();
  EXPECT_EQ(resolve_settings({.t = 0}, manifest_).t, 0);
}

TEST_F(ResolveTest, DetailFollowsTheModelsCurve) {
  manifest_.detail = {{0.5, 200, 0.6, 2}, {1.0, 600, 1.0, 6}};
  const auto at = [&](UpscaleOptions options) {
    const UpscaleSettings chosen = resolve_settings(options, manifest_);
    return std::make_tuple(chosen.t, chosen.beta, chosen.nfe);
  };
  EXPECT_EQ(at({.detail = 0.0}), at({.t = 0, .beta = 0.6}));
  EXPECT_EQ(at({.detail = 0.25}), std::make_tuple(100, 0.6, 1));
  EXPECT_EQ(at({.detail = 0.5}), std::make_tuple(200, 0.6, 2));
  EXPECT_EQ(at({.detail = 0.75}), std::make_tuple(400, 0.8, 4));
  EXPECT_EQ(at({.detail = 1.0}), std::make_tuple(600, 1.0, 6));
  EXPECT_EQ(at({.detail = 1e-6}), std::make_tuple(1, 0.6, 1));
  EXPECT_EQ(at({.detail = 1.0, .t = 300}), std::make_tuple(300, 1.0, 6));
  EXPECT_EQ(at({.detail = 1.0, .t = 4}), std::make_tuple(4, 1.0, 4));
  EXPECT_EQ(at({.detail = 1.0, .beta = 0.1}), std::make_tuple(600, 0.1, 6));
  EXPECT_EQ(at({.detail = 1.0, .nfe = 9}), std::make_tuple(600, 1.0, 9));
  EXPECT_EQ(at({.detail = 0.5, .sampler = SamplerKind::ddpm}), std::make_tuple(200, 0.6, 200));
  EXPECT_FALSE(resolve_settings({.detail = 0.0}, manifest_).weight_map);
  manifest_.detail.insert(manifest_.detail.begin(), {0.0, 0, 0.2, 0});
  EXPECT_EQ(at({.detail = 0.25}), std::make_tuple(100, 0.4, 1));
}

TEST_F(ResolveTest, RefusesADetailThatTheModelHasNot) {
  EXPECT_THROW(resolve_settings({.detail = 0.5}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.detail = 0.5, .t = 9, .beta = 0.1, .nfe = 1}, manifest_),
               UsageError);
  manifest_.detail = {{1.0, 600, 1.0, 6}};
  EXPECT_THROW(resolve_settings({.detail = 1.01}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.detail = -0.01}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.detail = std::nan("")}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.start = Start::noise, .detail = 1.0}, manifest_), UsageError);
}

TEST_F(ResolveTest, RefusesRangesAndContradictions) {
  EXPECT_THROW(resolve_settings({.t = -1}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.t = 0, .nfe = 1}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.start = Start::noise, .t = 0}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.t = 2001}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.beta = 1.01}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.nfe = 0}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.t = 300, .nfe = 301}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.eta = -0.1}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.batch = 0}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.start = Start::noise, .t = 300}, manifest_), UsageError);
  EXPECT_THROW(resolve_settings({.t = 300, .sampler = SamplerKind::ddpm, .nfe = 8}, manifest_),
               UsageError);
}

}  // namespace
}  // namespace srdiff
