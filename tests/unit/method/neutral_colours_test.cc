#include "srdiff/neutral_colours.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/resize.h"

namespace srdiff {
namespace {

constexpr double level = 2.0 / 255.0;
constexpr std::int64_t scale = 4;

at::Tensor grey_noise(std::int64_t side, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::rand({1, 1, side, side}, generator).mul(1.8).sub(0.9).expand({1, 3, side, side});
}

at::Tensor colour(double red, double green, double blue) {
  return at::tensor({red, green, blue}, at::kFloat).reshape({1, 3, 1, 1});
}

at::Tensor luma(const at::Tensor& rgb) {
  return (rgb * colour(0.299, 0.587, 0.114)).sum(1, true);
}

/// The largest difference between channels, in levels.
double spread(const at::Tensor& rgb) {
  return (rgb.amax(1) - rgb.amin(1)).max().item<double>() / level;
}

/// What a network makes of the input: the truth with a colour that changes from place to place.
at::Tensor painted(const at::Tensor& low, double strength) {
  const std::int64_t side = low.size(2) * scale;
  auto generator = at::detail::createCPUGenerator(3);
  return (resize_bicubic(low, side, side) + at::randn({1, 3, side, side}, generator).mul(strength))
      .clamp(-1.0, 1.0);
}

TEST(KeepNeutral, GreyInIsGreyOutToTheBitAndHasTheSameLuma) {
  const at::Tensor low = grey_noise(16, 1);
  const at::Tensor high = painted(low, 0.2);
  EXPECT_GT(spread(high), 30.0);
  const at::Tensor fixed = keep_neutral(high, low);
  EXPECT_EQ(spread(fixed), 0.0);
  EXPECT_TRUE(at::allclose(luma(fixed), luma(high), 0, 1e-6));
}

TEST(KeepNeutral, ColoursStayAsTheyAreBitForBit) {
  const at::Tensor low = (grey_noise(16, 1) * 0.5 + colour(0.2, 0.0, -0.1)).contiguous();
  const at::Tensor high = painted(low, 0.1);
  EXPECT_TRUE(at::equal(keep_neutral(high, low), high));
}

TEST(KeepNeutral, AColourReachesTwoPixelsOverItsEdgeAndHandsNothingOn) {
  at::Tensor low = grey_noise(24, 1).mul(0.5).clone();
  low.slice(3, 12).copy_((low.slice(3, 12) + colour(0.4, -0.2, -0.3)).clamp(-1.0, 1.0));
  const at::Tensor high = painted(low, 0.1);
  const at::Tensor fixed = keep_neutral(high, low);
  // Columns 10 and 11 are within two pixels of the colour; half a pixel of them is interpolated.
  EXPECT_TRUE(at::equal(fixed.slice(3, 10 * scale + 2), high.slice(3, 10 * scale + 2)));
  EXPECT_EQ(spread(fixed.slice(3, 0, 9 * scale + 2)), 0.0);
  // In between chroma only shrinks: none comes from over the edge.
  const auto chroma = [](const at::Tensor& rgb) { return rgb - luma(rgb); };
  EXPECT_TRUE(chroma(fixed).abs().le(chroma(high).abs() + 1e-5).all().item<bool>());
}

TEST(KeepNeutral, NoiseInTheInputsChromaCountsAsNeutralAndIsSmoothed) {
  auto generator = at::detail::createCPUGenerator(5);
  const at::Tensor noise = at::rand({1, 3, 24, 24}, generator).sub(0.5).mul(4.0 * level);
  const at::Tensor low = grey_noise(24, 1) + noise;
  ASSERT_GT(spread(low), 3.0);
  const at::Tensor fixed = keep_neutral(painted(low, 0.1), low);
  EXPECT_LT(spread(fixed), 1.8);
}

TEST(KeepNeutral, AFaintTintIsTheInputs) {
  const at::Tensor tint = colour(1.5 * level, 0.0, -1.5 * level);
  const at::Tensor low = grey_noise(16, 1) + tint;
  const at::Tensor fixed = keep_neutral(painted(grey_noise(16, 1) * 0.5, 0.05), low);
  const at::Tensor chroma = fixed - luma(fixed);
  EXPECT_TRUE(at::allclose(chroma, (tint - luma(tint)).expand_as(chroma), 0, 0.1 * level));
}

TEST(KeepNeutral, GoesOverWithoutAStep) {
  // From grey to a colour of 20 levels over 40 pixels; what the network paints is the same all
  // over.
  const at::Tensor ramp = at::linspace(0.0, 20.0 * level, 40).reshape({1, 1, 1, 40});
  const at::Tensor low = (ramp * colour(1.0, 0.0, 0.0)).expand({1, 3, 40, 40}).contiguous();
  const at::Tensor high = colour(0.2, 0.0, -0.2).expand({1, 3, 160, 160}).contiguous();
  const at::Tensor fixed = keep_neutral(high, low);
  EXPECT_LT(spread(fixed.slice(3, 0, 1)), 1.0);
  EXPECT_TRUE(at::equal(fixed.slice(3, 120), high.slice(3, 120)));
  EXPECT_LT(at::diff(fixed, 1, 3).abs().max().item<double>() / level, 2.0);
}

TEST(KeepNeutral, EachImageOfABatchHasItsOwnAnswer) {
  const at::Tensor grey = grey_noise(16, 1);
  const at::Tensor red = (grey_noise(16, 2) * 0.5 + colour(0.3, 0.0, 0.0)).contiguous();
  const at::Tensor low = at::cat({grey, red});
  const at::Tensor high = at::cat({painted(grey, 0.1), painted(red, 0.1)});
  const at::Tensor fixed = keep_neutral(high, low);
  EXPECT_EQ(spread(fixed.slice(0, 0, 1)), 0.0);
  EXPECT_TRUE(at::equal(fixed.slice(0, 1), high.slice(0, 1)));
}

}  // namespace
}  // namespace srdiff
