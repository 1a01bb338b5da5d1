#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>

#include "batched_products.h"
#include "norm_silu.h"
#include "packed_convolution.h"

namespace srdiff {
namespace {

void expect_close(const at::Tensor& measured, const at::Tensor& expected) {
  ASSERT_EQ(measured.sizes(), expected.sizes());
  EXPECT_LT((measured - expected).abs().max().item<double>(), 2e-5);
}

TEST(BatchedProducts, AreThoseOfLibTorch) {
  BatchedProducts products;
  const at::Tensor qkv = at::randn({6, 96, 50});
  const auto parts = qkv.chunk(3, 1);  // views with gaps between the matrices
  const at::Tensor weight = at::softmax(at::bmm(parts[0].transpose(1, 2), parts[1]), -1);
  expect_close(products(parts[0].transpose(1, 2), parts[1]),
               at::bmm(parts[0].transpose(1, 2), parts[1]));
  expect_close(products(parts[2], weight.transpose(1, 2)),
               at::bmm(parts[2], weight.transpose(1, 2)));
  const at::Tensor same = at::randn({1, 7, 96}).expand({6, 7, 96});
  expect_close(products(same, qkv), at::bmm(same, qkv));
  const at::Tensor every_other = at::randn({6, 8, 200}).slice(2, 0, 200, 2);  // no stride is 1
  expect_close(products(every_other, at::ones({6, 100, 3})),
               at::bmm(every_other, at::ones({6, 100, 3})));
  EXPECT_EQ(products(at::randn({0, 3, 4}), at::randn({0, 4, 5})).numel(), 0);
  EXPECT_EQ(products(qkv.to(at::kDouble), qkv.to(at::kDouble).transpose(1, 2)).scalar_type(),
            at::kDouble);
  EXPECT_THROW(products(qkv, qkv), c10::Error);
}

TEST(BatchedProducts, DoNotDependOnTheThreads) {
  const at::Tensor left = at::randn({2, 33, 700});  // long sums, which threads might share
  const at::Tensor right = at::randn({2, 700, 5});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor expected = BatchedProducts()(left, right);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    BatchedProducts made_by_several;
    EXPECT_TRUE(at::equal(made_by_several(left, right), expected));
  }
  at::set_num_threads(before);
}

TEST(NormSilu, IsGroupNormAndSilu) {
  // Pixels that are no multiple of a vector's width, and values far from 0.
  const at::Tensor x = at::randn({2, 12, 7, 5}) * 30 + 50;
  const at::Tensor w = at::randn({12});
  const at::Tensor b = at::randn({12});
  for (const std::int64_t groups : {1, 3, 12}) {
    expect_close(group_norm_silu(x, groups, w, b, 1e-5),
                 at::silu(at::group_norm(x, groups, w, b, 1e-5)));
    expect_close(group_norm_silu(x, groups, {}, {}, 1e-5), at::silu(at::group_norm(x, groups)));
  }
  const at::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast);
  expect_close(group_norm_silu(last, 3, w, b, 1e-5), at::silu(at::group_norm(x, 3, w, b, 1e-5)));
}

TEST(NormSilu, IsANormOfEachPositionAndSilu) {
  for (const std::int64_t channels : {3, 16, 80}) {
    const at::Tensor x = at::randn({2, channels, 6, 5}) * 20 - 30;
    const at::Tensor w = at::randn({channels});
    const at::Tensor b = at::randn({channels});
    const at::Tensor expected =
        at::silu(at::layer_norm(x.permute({0, 2, 3, 1}), {channels}, w, b, 1e-6))
            .permute({0, 3, 1, 2});
    expect_close(pixel_norm_silu(x, w, b, 1e-6), expected);
    expect_close(pixel_norm_silu(x.contiguous(at::MemoryFormat::ChannelsLast), w, b, 1e-6),
                 expected);
  }
}

TEST(NormSilu, HoldsAtTheEndsOfItsRange) {
  const at::Tensor x = at::tensor({-3e4, -90.0, -1e-6, 1e-6, 90.0, 3e4}, at::kFloat);
  const at::Tensor row = x.reshape({1, 6, 1, 1});
  const at::Tensor result = pixel_norm_silu(row, at::full({6}, 1e3F), {}, 1e-6);
  EXPECT_TRUE(at::isfinite(result).all().item<bool>());
  EXPECT_NEAR(result[0][0].item<double>(), 0.0, 1e-6);
}

TEST(NormSilu, IsSiluFromEndToEnd) {
  // 17 channels whose normalised values are the bias alone: one more than a vector.
  const at::Tensor values = at::linspace(-100.0, 100.0, 17);
  const at::Tensor x = at::randn({1, 17, 3, 1});
  const at::Tensor expected = at::silu(values.to(c10::kDouble)).reshape({1, 17, 1, 1});
  for (const at::Tensor& result : {pixel_norm_silu(x, at::zeros({17}), values, 1e-6),
                                   group_norm_silu(x, 17, at::zeros({17}), values, 1e-6)}) {
    EXPECT_TRUE(at::allclose(result.to(c10::kDouble), expected.expand({1, 17, 3, 1}), 1e-6, 2e-36));
  }
}

TEST(NormSilu, KeepsWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor bias = at::tensor({nan, -nan, 1.0F}, at::kFloat);
  const at::Tensor result = pixel_norm_silu(at::randn({1, 3, 2, 2}), {}, bias, 1e-6);
  EXPECT_TRUE(at::isnan(result[0][0]).all().item<bool>());
  EXPECT_TRUE(at::isnan(result[0][1]).all().item<bool>());
  EXPECT_TRUE(at::isfinite(result[0][2]).all().item<bool>());
}

TEST(Silu, AndSigmoidAreThoseOfLibTorch) {
  const at::Tensor x = at::randn({2, 3, 7, 5}) * 20;
  for (const at::Tensor& image : {x, x.contiguous(at::MemoryFormat::ChannelsLast), x[0][0][0]}) {
    EXPECT_TRUE(at::allclose(silu_of_each(image), at::silu(image), 1e-6, 1e-12));
    EXPECT_TRUE(at::allclose(sigmoid_of_each(image), at::sigmoid(image), 1e-6, 1e-12));
    EXPECT_EQ(silu_of_each(image).strides(), image.strides());
  }
  EXPECT_TRUE(at::equal(silu_of_each(x.slice(3, 0, 5, 2)), at::silu(x.slice(3, 0, 5, 2))));
  EXPECT_EQ(sigmoid_of_each(x.to(at::kDouble)).scalar_type(), at::kDouble);
}

TEST(Silu, AndSigmoidDependOnNothingButTheValue) {
  // Thread counts that leave no share a multiple of a vector; LibTorch's own differ in some values.
  const at::Tensor x = at::randn({1 << 18});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor of_silu = silu_of_each(x);
  const at::Tensor of_sigmoid = sigmoid_of_each(x);
  for (const int threads : {2, 3, 5}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(silu_of_each(x), of_silu));
    EXPECT_TRUE(at::equal(sigmoid_of_each(x), of_sigmoid));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(silu_of_each(x.slice(0, 3, 1 << 17)), of_silu.slice(0, 3, 1 << 17)));
}

TEST(NormSilu, DoesNotDependOnTheThreads) {
  const at::Tensor x = at::randn({1, 64, 33, 31});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor group = group_norm_silu(x, 8, {}, {}, 1e-5);
  const at::Tensor pixel = pixel_norm_silu(x, {}, {}, 1e-6);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(group_norm_silu(x, 8, {}, {}, 1e-5), group));
    EXPECT_TRUE(at::equal(pixel_norm_silu(x, {}, {}, 1e-6), pixel));
  }
  at::set_num_threads(before);
}

TEST(PackedConvolutions, AreConvolutions) {
  const c10::InferenceMode no_gradients;
  PackedConvolutions packed;
  const at::Tensor w = at::randn({8, 6, 3, 3}) * 0.1;
  const at::Tensor b = at::randn({8});
  const at::Tensor other = at::randn({4, 3, 1, 1});
  // Sizes change and come back: what was kept for one must not serve another.
  for (const std::int64_t side : {8, 33, 8}) {
    const at::Tensor x = at::randn({2, 6, side, side + 3});
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const at::Tensor image = x.contiguous(format);
      expect_close(packed(image, w, b, {2, 2}, {1, 1}, {1, 1}, 1), at::conv2d(x, w, b, 2, 1));
      expect_close(packed(image, other, {}, {1, 1}, {0, 0}, {1, 1}, 2),
                   at::conv2d(x, at::Tensor(other), {}, 1, at::IntArrayRef{0, 0}, 1, 2));
    }
  }
}

TEST(PackedConvolutions, OfAnotherThreadShareTheWeights) {
  const c10::InferenceMode no_gradients;
  PackedConvolutions packed;
  const at::Tensor w = at::randn({8, 6, 3, 3}) * 0.1;
  const at::Tensor x = at::randn({1, 6, 9, 11});
  const at::Tensor expected = packed(x, w, {}, {1, 1}, {1, 1}, {1, 1}, 1);
  PackedConvolutions other = packed.for_another_thread();
  w.zero_();  // what the other one uses is what the first one packed
  EXPECT_TRUE(at::equal(other(x, w, {}, {1, 1}, {1, 1}, {1, 1}, 1), expected));
}

}  // namespace
}  // namespace srdiff
