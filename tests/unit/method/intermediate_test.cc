#include "srdiff/intermediate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/error.h"
#include "support/sr3_schedule.h"

namespace srdiff {
namespace {

using support::sr3_schedule;

at::Tensor rgb(float r, float g, float b) {
  return at::tensor({r, g, b}).reshape({1, 3, 1, 1});
}

// By hand, from √ᾱ_300 = 0.89370812 and √(1−ᾱ_300) = 0.44864884:
//   r: 0.89370812·0.5 + 0.5·0.44864884·1 = 0.67117848
//   g: 0.89370812·(−1) + 0.5·0.44864884·(−2) = −1.34235696
//   b: 0 + 0.5·0.44864884·0.5 = 0.11216221
TEST(IntermediateState, AgainstHandComputedNumbersWithAWeightMap) {
  const at::Tensor w = at::full({1, 1, 1, 1}, 0.3);
  const at::Tensor x_t = intermediate_state(sr3_schedule(), 300, rgb(0.5F, -1.0F, 0.0F), w, 0.2,
                                            rgb(1.0F, -2.0F, 0.5F));
  EXPECT_TRUE(at::allclose(x_t, rgb(0.67117848F, -1.34235696F, 0.11216221F), 0, 1e-6)) << x_t;
}

TEST(IntermediateState, WithoutAWeightMapBetaAloneScalesTheNoise) {
  const at::Tensor x_t = intermediate_state(sr3_schedule(), 300, rgb(0.5F, -1.0F, 0.0F), {}, 0.5,
                                            rgb(1.0F, -2.0F, 0.5F));
  EXPECT_TRUE(at::allclose(x_t, rgb(0.67117848F, -1.34235696F, 0.11216221F), 0, 1e-6)) << x_t;
}

TEST(IntermediateState, AtBetaOneTheWeightMapChangesNothing) {
  at::manual_seed(7);
  const at::Tensor x_sr = at::rand({2, 3, 4, 5}) * 2 - 1;
  const at::Tensor eps = at::randn({2, 3, 4, 5});
  for (const int channels : {1, 3}) {
    const at::Tensor w = at::rand({2, channels, 4, 5});
    EXPECT_TRUE(at::allclose(intermediate_state(sr3_schedule(), 300, x_sr, w, 1.0, eps),
                             intermediate_state(sr3_schedule(), 300, x_sr, {}, 1.0, eps), 0, 1e-6));
  }
}

TEST(IntermediateState, ClampsBetaPlusWToOne) {
  const at::Tensor w = at::full({1, 1, 1, 1}, 0.9);
  const at::Tensor zero = rgb(0, 0, 0);
  const at::Tensor x_t = intermediate_state(sr3_schedule(), 300, zero, w, 0.8, rgb(1, 1, 1));
  EXPECT_NEAR(x_t.max().item<double>(), sr3_schedule().sigma(300), 1e-6);
}

TEST(IntermediateState, WithoutNoiseItIsTheScaledRegression) {
  const at::Tensor x_sr = rgb(0.5F, -1.0F, 0.25F);
  const at::Tensor x_t = intermediate_state(sr3_schedule(), 150, x_sr, {}, 0.0, rgb(9, 9, 9));
  EXPECT_TRUE(at::allclose(x_t, x_sr * sr3_schedule().noise_level(150)));
}

TEST(IntermediateState, AMaskMultipliesTheNoise) {
  const at::Tensor x_sr = rgb(0.5F, -1.0F, 0.25F);
  const at::Tensor eps = rgb(2.0F, -1.0F, 1.0F);
  const at::Tensor w = at::full({1, 1, 1, 1}, 0.3);
  for (const at::Tensor& weight_map : {w, at::Tensor()}) {
    const auto state = [&](double mask) {
      return intermediate_state(sr3_schedule(), 300, x_sr, weight_map, 0.9, eps,
                                at::full({1, 1, 1, 1}, mask));
    };
    const at::Tensor signal = x_sr * sr3_schedule().noise_level(300);
    const at::Tensor plain = intermediate_state(sr3_schedule(), 300, x_sr, weight_map, 0.9, eps);
    EXPECT_TRUE(at::equal(state(1.0), plain));
    EXPECT_TRUE(at::equal(state(0.0), signal));
    EXPECT_TRUE(at::allclose(state(0.25) - signal, 0.25 * (plain - signal), 0, 1e-6));
  }
}

TEST(IntermediateState, AtZeroItIsTheRegression) {
  const at::Tensor x_sr = rgb(0.5F, -1.0F, 0.25F);
  EXPECT_TRUE(at::equal(intermediate_state(sr3_schedule(), 0, x_sr, {}, 1.0, rgb(9, 9, 9)), x_sr));
}

TEST(IntermediateState, RefusesValuesOutsideTheirRange) {
  const at::Tensor zero = rgb(0, 0, 0);
  EXPECT_THROW(intermediate_state(sr3_schedule(), -1, zero, {}, 0.5, zero), UsageError);
  EXPECT_THROW(intermediate_state(sr3_schedule(), 2001, zero, {}, 0.5, zero), UsageError);
  EXPECT_THROW(intermediate_state(sr3_schedule(), 300, zero, {}, -0.1, zero), UsageError);
  EXPECT_THROW(intermediate_state(sr3_schedule(), 300, zero, {}, 1.1, zero), UsageError);
}

}  // namespace
}  // namespace srdiff
