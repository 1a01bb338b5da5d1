#include "engine/cpu/convolution_winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/cpu/blocked_layout.h"
#include "support/blocks_fixture.h"
#include "support/expect.h"

namespace srdiff::cpu {
namespace {

class WinogradTest : public support::BlocksFixture {
 protected:
  /// Values whose convolution is as large as they are.
  static at::Tensor random_filters(std::int64_t outputs, std::int64_t inputs) {
    return at::randn({outputs, inputs, 3, 3}) / std::sqrt(9.0 * static_cast<double>(inputs));
  }

  static at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& addend = {}, bool upsamples = false) {
    return from_blocks(winograd_convolution(
        to_blocks(x), winograd_filters(weight),
        {weight.size(0), bias, addend.defined() ? to_blocks(addend) : addend, upsamples}));
  }

  static at::Tensor exact(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1);
  }

  /// As close as convolution_winograd.h says, for images of 1 and filters as above.
  static void expect_close(const at::Tensor& measured, const at::Tensor& expected) {
    support::expect_close(measured, expected, 3e-5);
    EXPECT_LT((measured - expected).pow(2).mean().sqrt().item<double>(), 3e-6);
  }
};

TEST_F(WinogradTest, IsTheConvolution) {
  struct Size {
    std::int64_t images, inputs, outputs, height, width;
  };
  // Whole tiles; sides that end within one, or are smaller; a last panel of outputs that is not
  // full; more channels than are transformed at once; groups of tiles across images.
  for (const Size& size :
       {Size{1, 32, 32, 16, 16}, {1, 16, 48, 17, 22}, {3, 48, 16, 1, 3}, {2, 304, 80, 9, 33}}) {
    const at::Tensor x = at::randn({size.images, size.inputs, size.height, size.width});
    const at::Tensor weight = random_filters(size.outputs, size.inputs);
    const at::Tensor bias = at::randn({size.outputs});
    expect_close(convolve(x, weight, bias), exact(x, weight, bias));
  }
}

TEST_F(WinogradTest, AddsAnImage) {
  const at::Tensor x = at::randn({2, 32, 10, 7});
  const at::Tensor weight = random_filters(48, 32);
  const at::Tensor bias = at::randn({48});
  const at::Tensor other = at::randn({2, 48, 10, 7});
  expect_close(convolve(x, weight, bias, other), exact(x, weight, bias) + other);
}

TEST_F(WinogradTest, EnlargesFirst) {
  const at::Tensor weight = random_filters(32, 16);
  const at::Tensor bias = at::randn({32});
  for (const std::int64_t side : {1, 3, 8, 11}) {
    const at::Tensor x = at::randn({2, 16, side, side + 2});
    const at::Tensor enlarged = at::upsample_nearest2d(x, {2 * side, 2 * side + 4});
    expect_close(convolve(x, weight, bias, {}, true), exact(enlarged, weight, bias));
  }
}

TEST_F(WinogradTest, DoesNotDependOnTheThreads) {
  const at::Tensor weight = random_filters(64, 144);
  const at::Tensor bias = at::randn({64});
  const int before = at::get_num_threads();
  // Few tiles, which threads share, and many, which they divide among them.
  for (const std::int64_t side : {13, 50}) {
    const at::Tensor x = at::randn({1, 144, side, side});
    at::set_num_threads(1);
    const at::Tensor alone = convolve(x, weight, bias);
    for (const int threads : {2, 3, 7}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(convolve(x, weight, bias), alone)) << side << ", " << threads;
    }
  }
  at::set_num_threads(before);
}

TEST_F(WinogradTest, APictureDoesNotDependOnItsCompany) {
  const at::Tensor x = at::randn({3, 32, 18, 18});
  const at::Tensor weight = random_filters(32, 32);
  const at::Tensor bias = at::randn({32});
  const at::Tensor together = convolve(x, weight, bias);
  EXPECT_TRUE(at::equal(convolve(x.narrow(0, 1, 1), weight, bias), together.narrow(0, 1, 1)));
}

TEST_F(WinogradTest, WhatIsNotANumberStaysInItsNeighbourhood) {
  at::Tensor x = at::randn({2, 32, 32, 32});
  x[0][5][17][17] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor result = convolve(x, random_filters(32, 32), at::zeros({32}));
  EXPECT_TRUE(result[0].slice(1, 16, 19).slice(2, 16, 19).isnan().all().item<bool>());
  at::Tensor elsewhere = result.clone();
  elsewhere[0].slice(1, 12, 24).slice(2, 12, 24).zero_();  // its tile and those around it
  EXPECT_TRUE(elsewhere.isfinite().all().item<bool>());
}

TEST_F(WinogradTest, SuitsImagesWithTilesAndChannelsEnough) {
  EXPECT_TRUE(suits_winograd({1, 32, 16, 16}, 32));
  EXPECT_TRUE(suits_winograd({4, 32, 8, 8}, 32));
  EXPECT_TRUE(suits_winograd({1, 32, 13, 13}, 32));
  EXPECT_FALSE(suits_winograd({1, 32, 12, 16}, 32));
  EXPECT_TRUE(suits_winograd({1, 16, 64, 64}, 64));
  EXPECT_FALSE(suits_winograd({1, 8, 64, 64}, 64));
  EXPECT_FALSE(suits_winograd({1, 64, 64, 64}, 16));
}

}  // namespace
}  // namespace srdiff::cpu
