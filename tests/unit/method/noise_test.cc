#include "srdiff/noise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

namespace srdiff {
namespace {

// The known answers that the generator's authors publish with Random123 (kat_vectors).
TEST(Philox, KnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32_10({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(NoiseField, IsStandardNormal) {
  const at::Tensor field = noise_field(42, 300, 512, 512).to(at::kDouble);
  const double n = static_cast<double>(field.numel());
  const double mean = field.mean().item<double>();
  const double variance = field.var().item<double>();
  const double kurtosis = (field - mean).pow(4).mean().item<double>() / (variance * variance);
  // Five standard errors each.
  EXPECT_NEAR(mean, 0.0, 5 / std::sqrt(n));
  EXPECT_NEAR(variance, 1.0, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(kurtosis, 3.0, 5 * std::sqrt(24 / n));
  EXPECT_TRUE(at::isfinite(field).all().item<bool>());
}

TEST(NoiseField, ChannelsNeighboursAndStepsAreIndependent) {
  const auto correlation = [](const at::Tensor& a, const at::Tensor& b) {
    return (a * b).mean().item<double>();
  };
  const at::Tensor field = noise_field(42, 300, 256, 256);
  const at::Tensor other_step = noise_field(42, 299, 256, 256);
  const at::Tensor other_key = noise_field(43, 300, 256, 256);
  constexpr double bound = 5.0 / 255;  // five standard errors of 255·256 products
  EXPECT_NEAR(correlation(field[0], field[1]), 0, bound);
  EXPECT_NEAR(correlation(field[0], field[2]), 0, bound);
  EXPECT_NEAR(correlation(field[1], field[2]), 0, bound);
  EXPECT_NEAR(correlation(field[0].slice(0, 1), field[0].slice(0, 0, -1)), 0, bound);
  EXPECT_NEAR(correlation(field[0].slice(1, 1), field[0].slice(1, 0, -1)), 0, bound);
  EXPECT_NEAR(correlation(field, other_step), 0, bound);
  EXPECT_NEAR(correlation(field, other_key), 0, bound);
}

TEST(NoiseField, AWindowIsThatPartOfTheWholeField) {
  const at::Tensor whole = noise_field(5, 17, 40, 50);
  const at::Tensor window = noise_field(5, 17, 9, 11, 20, 30);
  EXPECT_TRUE(at::equal(window, whole.slice(1, 20, 29).slice(2, 30, 41)));
}

TEST(NoiseField, DoesNotDependOnTheNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = noise_field(1, 2, 100, 30);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(one, noise_field(1, 2, 100, 30)));
  at::set_num_threads(before);
}

TEST(NoiseBatch, StacksTheFieldsOfItsKeys) {
  const at::Tensor batch = noise_batch({3, 9}, 4, 8, 6);
  EXPECT_TRUE(at::equal(batch[0], noise_field(3, 4, 8, 6)));
  EXPECT_TRUE(at::equal(batch[1], noise_field(9, 4, 8, 6)));
}

// Far from the origin the upper halves of the generator's products matter.
TEST(NoiseField, AFarWindowIsThatPartOfTheField) {
  const std::int64_t far = 0xFFFF0000;
  const at::Tensor window = noise_field(7, 9, 5, 6, 65530, far);
  EXPECT_TRUE(at::equal(window.slice(1, 2, 5), noise_field(7, 9, 3, 6, 65532, far)));
  EXPECT_TRUE(at::equal(window.slice(2, 4, 6), noise_field(7, 9, 5, 2, 65530, far + 4)));
}

at::Tensor picture() {
  return at::linspace(-1, 1, 3 * 4 * 5).reshape({3, 4, 5});
}

TEST(NoiseKey, DependsOnSeedPixelsAndShape) {
  const auto key = noise_key(0, picture());
  EXPECT_EQ(key, noise_key(0, picture().clone()));
  EXPECT_NE(key, noise_key(1, picture()));
  at::Tensor changed = picture().clone();
  changed[1][2][3] += 1.0 / 255;
  EXPECT_NE(key, noise_key(0, changed));
  EXPECT_NE(noise_key(0, at::zeros({3, 4, 5})), noise_key(0, at::zeros({3, 5, 4})));
}

TEST(NoiseKey, EachPassHasItsOwn) {
  const auto key = noise_key(0, picture());
  EXPECT_EQ(pass_noise_key(key, 0), key);
  EXPECT_NE(pass_noise_key(key, 1), key);
  EXPECT_NE(pass_noise_key(key, 2), pass_noise_key(key, 1));
  EXPECT_NE(pass_noise_key(key + 1, 1), pass_noise_key(key, 1));
  EXPECT_EQ(pass_noise_key(key, 1), pass_noise_key(key, 1));
}

TEST(NoiseKey, AnEightBitPictureAndItsSixteenBitCopyShareTheirNoise) {
  const at::Tensor levels = at::arange(256, at::kFloat).repeat({3, 1}).reshape({3, 16, 16});
  const at::Tensor from8 = levels.div(255.0).mul(2.0).sub(1.0);
  const at::Tensor from16 = levels.mul(257.0).div(65535.0).mul(2.0).sub(1.0);
  EXPECT_EQ(noise_key(0, from8), noise_key(0, from16));
}

}  // namespace
}  // namespace srdiff
