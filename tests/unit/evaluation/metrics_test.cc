#include "evaluation/metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "srdiff/error.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

/// A picture of round 8-bit levels and one with small errors: [1,3,height,width] in [−1,1].
struct Pair {
  at::Tensor a;
  at::Tensor b;
};

Pair make_pair(std::int64_t height, std::int64_t width) {
  const at::Tensor c = at::arange(3, at::kDouble).reshape({3, 1, 1});
  const at::Tensor y = at::arange(height, at::kDouble).reshape({1, -1, 1});
  const at::Tensor x = at::arange(width, at::kDouble).reshape({1, 1, -1});
  const at::Tensor levels = at::round(at::sin(x * 0.21 + c) * at::cos(y * 0.17) * 100.0 + 128.0);
  const at::Tensor error = at::remainder(x * y + x * 5.0 + c, 17.0) - 8.0;
  const auto as_image = [](const at::Tensor& values) {
    return values.div(127.5).sub(1.0).to(at::kFloat).unsqueeze(0);
  };
  return {as_image(levels), as_image((levels + error).clamp(0.0, 255.0))};
}

double only(const at::Tensor& figures) {
  EXPECT_EQ(figures.sizes(), at::IntArrayRef({1}));
  EXPECT_EQ(figures.scalar_type(), at::kDouble);
  return figures.item<double>();
}

// scikit-image 0.22, peak_signal_noise_ratio and structural_similarity(gaussian_weights=True,
// sigma=1.5, use_sample_covariance=False, data_range=255) of these pictures.
TEST(Metrics, AgreeWithScikitImage) {
  const Pair small = make_pair(20, 24);
  EXPECT_NEAR(only(psnr(small.a, small.b)), 34.006198, 1e-5);
  EXPECT_NEAR(only(ssim(small.a, small.b)), 0.9619243, 1e-6);
  const Pair least = make_pair(11, 11);
  EXPECT_NEAR(only(ssim(least.a, least.b)), 0.9704458, 1e-6);
}

// The figures of large pictures are summed up band by band: here of 98 rows, and of one.
TEST(Metrics, AgreeWithScikitImageOnLargePictures) {
  const Pair large = make_pair(403, 331);
  EXPECT_NEAR(only(psnr(large.a, large.b)), 34.064226, 1e-5);
  EXPECT_NEAR(only(ssim(large.a, large.b)), 0.9637080, 1e-6);
  const Pair wide = make_pair(13, 40000);
  EXPECT_NEAR(only(psnr(wide.a, wide.b)), 33.985312, 1e-5);
  EXPECT_NEAR(only(ssim(wide.a, wide.b)), 0.9679415, 1e-6);
}

TEST(Metrics, AgreeWithScikitImageOnLuma) {
  const Pair pair = make_pair(20, 24);
  EXPECT_NEAR(only(psnr(luma(pair.a), luma(pair.b))), 36.111594, 1e-4);
  EXPECT_NEAR(only(ssim(luma(pair.a), luma(pair.b))), 0.9584616, 1e-6);
}

// pytorch-msssim 1.0.0, of a size that is odd at some scales.
TEST(Metrics, AgreeWithPytorchMsSsim) {
  const Pair pair = make_pair(163, 178);
  const auto figure = ms_ssim(pair.a, pair.b);
  ASSERT_TRUE(figure.has_value());
  EXPECT_NEAR(only(*figure), 0.9972926, 1e-6);
}

TEST(Metrics, MsSsimNeedsFiveScales) {
  const at::Tensor enough = at::zeros({1, 3, 161, 200});
  EXPECT_TRUE(ms_ssim(enough, enough).has_value());
  const at::Tensor small = at::zeros({1, 3, 160, 200});
  EXPECT_FALSE(ms_ssim(small, small).has_value());
}

TEST(Metrics, EqualImages) {
  const at::Tensor image = make_pair(20, 24).a;
  EXPECT_EQ(only(psnr(image, image)), INFINITY);
  EXPECT_NEAR(only(ssim(image, image)), 1.0, 1e-12);
  const Difference none = difference(image[0], image[0]);
  EXPECT_EQ(none.largest, 0.0);
  EXPECT_EQ(none.different_pixels, 0.0);
}

TEST(Metrics, EachImageOfABatchForItself) {
  const Pair pair = make_pair(20, 24);
  const at::Tensor a = at::cat({pair.a, pair.a});
  const at::Tensor b = at::cat({pair.b, pair.a.neg()});
  for (const auto& figure : {psnr, ssim}) {
    const at::Tensor together = figure(a, b);
    EXPECT_EQ(together[0].item<double>(), only(figure(pair.a, pair.b)));
    EXPECT_EQ(together[1].item<double>(), only(figure(pair.a, pair.a.neg())));
  }
}

TEST(Metrics, LumaIsStudioRange) {
  const at::Tensor black = at::full({1, 3, 1, 1}, -1.0F);
  const at::Tensor white = at::full({1, 3, 1, 1}, 1.0F);
  EXPECT_NEAR((luma(black).item<double>() + 1.0) * 127.5, 16.0, 1e-4);
  EXPECT_NEAR((luma(white).item<double>() + 1.0) * 127.5, 235.0, 1e-4);
  at::Tensor green = black.clone();
  green.select(1, 1).fill_(1.0);
  EXPECT_NEAR((luma(green).item<double>() + 1.0) * 127.5, 144.553, 1e-4);
}

TEST(Metrics, CropBorder) {
  const at::Tensor image = make_pair(20, 24).a;
  EXPECT_TRUE(crop_border(image, 8).equal(image.slice(2, 8, 12).slice(3, 8, 16)));
  EXPECT_TRUE(crop_border(image, 0).equal(image));
  EXPECT_THROW(crop_border(image, 10), UsageError);
}

TEST(Metrics, Consistency) {
  const at::Tensor output = make_pair(32, 48).a;
  const at::Tensor input = resize_bicubic(output, 8, 12);
  EXPECT_EQ(only(consistency(output, input)), 0.0);
  // 3 levels of 255 off everywhere.
  EXPECT_NEAR(only(consistency(output, input + 6.0 / 255.0)), 9.0 / (255.0 * 255.0), 1e-8);
}

TEST(Metrics, SharpnessIsARatioOfSlopes) {
  const at::Tensor image = make_pair(20, 24).a;
  EXPECT_DOUBLE_EQ(only(sharpness(image, image)), 1.0);
  EXPECT_NEAR(only(sharpness(image, image * 0.5 + 0.2)), 0.5, 1e-6);
  const at::Tensor ramp = at::arange(24).div(24.0).expand({1, 3, 20, 24});
  const at::Tensor steeper_across_and_down = ramp + at::arange(20).div(24.0).reshape({20, 1});
  EXPECT_NEAR(only(sharpness(ramp, steeper_across_and_down)), 2.0, 1e-6);
}

TEST(Metrics, DifferenceSaysWhere) {
  const at::Tensor a = make_pair(20, 24).a[0];
  at::Tensor b = a.clone();
  b[2][7][13] += 2.0 * 10.0 / 255.0;
  b[0][7][14] -= 2.0 * 3.0 / 255.0;
  b[1][19][23] += 2.0 * 4.0 / 255.0;
  const Difference found = difference(a, b, 3.0 / 255.0);
  EXPECT_NEAR(found.largest, 10.0 / 255.0, 1e-6);
  EXPECT_EQ(found.x, 13);
  EXPECT_EQ(found.y, 7);
  EXPECT_EQ(found.channel, 2);
  EXPECT_NEAR(found.mean, 17.0 / 255.0 / (3 * 20 * 24), 1e-8);
  // The pixel that is off by the tolerance itself passes.
  EXPECT_NEAR(found.failed_pixels, 2.0 / (20 * 24), 1e-12);
  EXPECT_NEAR(found.different_pixels, 3.0 / (20 * 24), 1e-12);
}

TEST(Metrics, RefuseWhatCannotBeCompared) {
  const at::Tensor image = at::zeros({1, 3, 16, 16});
  EXPECT_THROW(psnr(image, at::zeros({1, 3, 16, 15})), UsageError);
  EXPECT_THROW(psnr(image, at::zeros({2, 3, 16, 16})), UsageError);
  EXPECT_THROW(ssim(at::zeros({1, 3, 10, 16}), at::zeros({1, 3, 10, 16})), UsageError);
  EXPECT_THROW(luma(at::zeros({1, 1, 16, 16})), UsageError);
  EXPECT_THROW(difference(image, image), UsageError);
}

}  // namespace
}  // namespace srdiff
