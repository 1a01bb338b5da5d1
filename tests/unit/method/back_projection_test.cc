#include "srdiff/back_projection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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

TEST(Consistent, StaysInRange) {
  const at::Tensor low = at::ones({1, 3, 8, 8});
  const at::Tensor fixed = back_project(smooth_noise(32, 32, 0.5), low);
  EXPECT_LE(fixed.abs().max().item<double>(), 1.0);
}

}  // namespace
}  // namespace srdiff
