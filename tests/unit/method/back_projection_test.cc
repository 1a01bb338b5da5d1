#include "srdiff/back_projection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "srdiff/resize.h"

namespace srdiff {
namespace {

at::Tensor smooth_noise(std::int64_t h, std::int64_t w, double amplitude, std::uint64_t seed = 3) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn({1, 3, h, w}, generator).mul(amplitude).clamp(-0.8, 0.8);
}

/// Mean absolute difference of the reduced picture from the input, in 8-bit levels.
double residual_levels(const at::Tensor& high, const at::Tensor& low) {
  return 127.5 * (resize_bicubic(high, low.size(2), low.size(3)) - low).abs().mean().item<double>();
}

TEST(Consistent, ReducingGivesTheInputsColoursBack) {
  for (const std::int64_t scale : {2, 4, 8}) {
    const at::Tensor low = resize_bicubic(smooth_noise(6, 5, 0.2), 24, 20);
    // A drift in colour and noise of its own.
    const at::Tensor high = resize_bicubic(low, 24 * scale, 20 * scale) + 0.08 +
                            smooth_noise(24 * scale, 20 * scale, 0.02, 5);
    EXPECT_GT(residual_levels(high, low), 8.0);
    EXPECT_LT(residual_levels(back_project(high, low), low), 0.6) << scale;
  }
}

// The exact projection would put back a noisy input's chequerboard four times as strong.
TEST(Consistent, DoesNotPutTheInputsOwnNoiseBack) {
  const at::Tensor signs = at::tensor({1.F, -1.F}).repeat({8});
  const at::Tensor noise =
      (signs.unsqueeze(0) * signs.unsqueeze(1)).mul(0.1).expand({1, 3, 16, 16});
  const at::Tensor fixed = back_project(at::zeros({1, 3, 64, 64}), noise);
  EXPECT_LT(fixed.slice(2, 16, 48).slice(3, 16, 48).abs().max().item<double>(), 0.1);
}

TEST(Consistent, LeavesAConsistentPictureAlone) {
  const at::Tensor high = smooth_noise(64, 48, 0.3);
  const at::Tensor low = resize_bicubic(high, 16, 12);
  EXPECT_TRUE(at::allclose(back_project(high, low), high, 0, 1e-5));
}

TEST(Consistent, TouchesOnlyWhatTheInputKnows) {
  // Detail at the highest frequency reduces to nothing, and so stays.
  const at::Tensor signs = at::tensor({1.F, -1.F}).repeat({32});
  const at::Tensor detail =
      (signs.unsqueeze(0) * signs.unsqueeze(1)).mul(0.1).expand({1, 3, 64, 64});
  const at::Tensor low = at::full({1, 3, 16, 16}, 0.2);
  const at::Tensor fixed = back_project(detail + 0.3, low);
  const auto inner = [](const at::Tensor& image) {
    return image.slice(2, 16, 48).slice(3, 16, 48);
  };
  EXPECT_TRUE(at::allclose(inner(fixed), inner(detail + 0.2), 0, 2e-3));
}

/// Dots, an eighth of them white, as a printer's halftone has them.
at::Tensor halftone(std::int64_t side) {
  auto generator = at::detail::createCPUGenerator(11);
  const at::Tensor white = at::rand({1, 1, side, side}, generator).lt(0.15);
  return at::where(white, at::ones({}), -at::ones({})).expand({1, 3, side, side});
}

TEST(Consistent, APatternOfBlackAndWhiteKeepsItsMean) {
  const at::Tensor low = halftone(48);
  // What a network makes of it: soft dots on a ground that is not quite black.
  const at::Tensor high = resize_bicubic(low, 192, 192).mul(0.7);
  const at::Tensor fixed = back_project(high, low);
  const auto level = [](const at::Tensor& image) { return 127.5 * image.mean().item<double>(); };
  EXPECT_GT(std::abs(level(high) - level(low)), 3.0);
  EXPECT_NEAR(level(fixed), level(low), 1.0);
}

TEST(Consistent, WhatIsNeutralStaysNeutral) {
  const at::Tensor low = halftone(32);
  const at::Tensor coloured = at::tensor({0.3F, -0.1F, -0.3F}).reshape({1, 3, 1, 1});
  const at::Tensor high = resize_bicubic(low, 128, 128) + coloured;
  const at::Tensor fixed = back_project(high, low);
  const auto colour = [](const at::Tensor& image) {
    return 127.5 * (image.amax(1) - image.amin(1)).max().item<double>();
  };
  EXPECT_LT(colour(fixed), 1.0);
  // A patch of colour keeps its own.
  at::Tensor patch = low.clone();
  patch.slice(2, 8, 24).slice(3, 8, 24).copy_(coloured.expand({1, 3, 16, 16}));
  const at::Tensor mixed = back_project(resize_bicubic(patch, 128, 128), patch);
  EXPECT_TRUE(at::allclose(mixed.slice(2, 56, 72).slice(3, 56, 72), coloured.expand({1, 3, 16, 16}),
                           0, 0.02));
  EXPECT_LT(colour(mixed.slice(3, 116, 128)), 1.0);
}

TEST(Consistent, WhatIsInRangeAndColouredIsTheFormulasToTheBit) {
  const at::Tensor low = smooth_noise(24, 20, 0.15).clamp(-0.5, 0.5);
  const at::Tensor high =
      resize_bicubic(low, 72, 60) + smooth_noise(72, 60, 0.05, 5).clamp(-0.1, 0.1);
  const at::Tensor residual = low - resize_bicubic(high, 24, 20);
  EXPECT_TRUE(at::equal(back_project(high, low), high + resize_bicubic(residual, 72, 60)));
}

TEST(Consistent, StaysInRange) {
  const at::Tensor low = at::ones({1, 3, 8, 8});
  const at::Tensor fixed = back_project(smooth_noise(32, 32, 0.5), low);
  EXPECT_LE(fixed.abs().max().item<double>(), 1.0);
}

}  // namespace
}  // namespace srdiff
