#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <limits>
#include <new>

#include "engine/cpu/attention.h"
#include "engine/cpu/convolution_prepacked.h"
#include "engine/cpu/linear.h"
#include "engine/cpu/norm.h"
#include "support/expect.h"

namespace srdiff::cpu {
namespace {

void expect_close(const at::Tensor& measured, const at::Tensor& expected) {
  support::expect_close(measured, expected, 2e-5);
}

/// In float64, rounded.
at::Tensor attention_by_products(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value, double scale) {
  const at::Tensor scores = at::bmm(query.transpose(1, 2).to(at::kDouble), key.to(at::kDouble));
  const at::Tensor weight = at::softmax(scores * scale, -1);
  return at::bmm(value.to(at::kDouble), weight.transpose(1, 2)).to(query.scalar_type());
}

TEST(Attention, IsThatOfLibTorchsProducts) {
  // Positions and channels that fill no block, and keys that are several pieces.
  for (const std::int64_t positions : {1, 7, 64, 150, 300}) {
    const at::Tensor qkv = at::randn({6, 3 * 37, positions});
    const auto parts = qkv.chunk(3, 1);  // views with gaps between the matrices
    ASSERT_TRUE(computes_attention(parts[0], parts[1], parts[2]));
    expect_close(attention(parts[0], parts[1], parts[2], 0.3),
                 attention_by_products(parts[0], parts[1], parts[2], 0.3));
  }
  const at::Tensor query = at::randn({2, 8, 5});
  const at::Tensor key = at::randn({2, 8, 400});
  const at::Tensor value = at::randn({2, 3, 800}).slice(2, 0, 800, 2);  // columns with gaps
  expect_close(attention(query, key, value, 1.0), attention_by_products(query, key, value, 1.0));
}

TEST(Attention, TakesScoresThatOneExponentialCannot) {
  const at::Tensor query = at::full({1, 1, 3}, 10.0);
  const at::Tensor key = at::linspace(-300, 300, 301).reshape({1, 1, 301});  // the last is greatest
  const at::Tensor value = at::randn({1, 4, 301});
  expect_close(attention(query, key, value, 1.0), value.slice(2, 300).expand({1, 4, 3}));
  expect_close(attention(query, key, value, -1.0), value.slice(2, 0, 1).expand({1, 4, 3}));
  EXPECT_TRUE(attention(query, key / 0.0, value, 1.0).isnan().all().item<bool>());
}

TEST(Attention, LeavesTheRestToLibTorch) {
  const at::Tensor x = at::randn({2, 3, 4}, at::kDouble);
  EXPECT_FALSE(computes_attention(x, x, x));
  EXPECT_TRUE(at::equal(attention(x, x, x, 0.5), attention_by_products(x, x, x, 0.5)));
  EXPECT_EQ(attention(at::randn({0, 3, 4}), at::randn({0, 3, 4}), at::randn({0, 3, 4}), 1).numel(),
            0);
  EXPECT_THROW(attention(at::randn({2, 3, 4}), at::randn({2, 5, 4}), at::randn({2, 3, 4}), 1),
               c10::Error);
}

/// What a call gives with each number of threads, which is the same.
template <typename Call>
void expect_the_same_with_any_threads(const Call& call) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor expected = call();
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(call(), expected));
  }
  at::set_num_threads(before);
}

TEST(Attention, DoesNotDependOnTheThreads) {
  const at::Tensor x = at::randn({3, 33, 200});
  expect_the_same_with_any_threads([&] { return attention(x, x, x, 0.2); });
}

TEST(Linear, IsThatOfLibTorch) {
  for (const std::int64_t inputs : {1, 31, 32, 300}) {
    const at::Tensor x = at::randn({3, inputs});
    const at::Tensor weight = at::randn({inputs, 70}).t() / std::sqrt(inputs);  // by columns
    const at::Tensor bias = at::randn({70});
    expect_close(linear_of_rows(x, weight, bias), at::linear(x, weight, bias));
  }
  const at::Tensor x = at::randn({2, 5, 8});
  const at::Tensor weight = at::randn({3, 8});
  const at::Tensor bias = at::randn({3});
  expect_close(linear_of_rows(x, weight, bias), at::linear(x, weight, bias));
  EXPECT_THROW(linear_of_rows(at::randn({2, 9}), weight, bias), c10::Error);
  const at::Tensor many = at::randn({4, 300});
  const at::Tensor wide = at::randn({500, 300});
  const at::Tensor offsets = at::randn({500});
  expect_the_same_with_any_threads([&] { return linear_of_rows(many, wide, offsets); });
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
    expect_close(layer_norm_silu(x, w, b, 1e-6), expected);
    expect_close(layer_norm_silu(x.contiguous(at::MemoryFormat::ChannelsLast), w, b, 1e-6),
                 expected);
  }
}

TEST(NormSilu, HoldsAtTheEndsOfItsRange) {
  const at::Tensor x = at::tensor({-3e4, -90.0, -1e-6, 1e-6, 90.0, 3e4}, at::kFloat);
  const at::Tensor row = x.reshape({1, 6, 1, 1});
  const at::Tensor result = layer_norm_silu(row, at::full({6}, 1e3F), {}, 1e-6);
  EXPECT_TRUE(at::isfinite(result).all().item<bool>());
  EXPECT_NEAR(result[0][0].item<double>(), 0.0, 1e-6);
}

TEST(NormSilu, IsSiluFromEndToEnd) {
  // 17 channels whose normalised values are the bias alone: one more than a vector.
  const at::Tensor values = at::linspace(-100.0, 100.0, 17);
  const at::Tensor x = at::randn({1, 17, 3, 1});
  const at::Tensor expected = at::silu(values.to(c10::kDouble)).reshape({1, 17, 1, 1});
  for (const at::Tensor& result : {layer_norm_silu(x, at::zeros({17}), values, 1e-6),
                                   group_norm_silu(x, 17, at::zeros({17}), values, 1e-6)}) {
    EXPECT_TRUE(at::allclose(result.to(c10::kDouble), expected.expand({1, 17, 3, 1}), 1e-6, 2e-36));
  }
}

TEST(NormSilu, KeepsWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor bias = at::tensor({nan, -nan, 1.0F}, at::kFloat);
  const at::Tensor result = layer_norm_silu(at::randn({1, 3, 2, 2}), {}, bias, 1e-6);
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

TEST(Silu, AndSigmoidOfNoNumberAreNone) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  at::Tensor x = at::randn({37});
  x[3] = nan;
  x[36] = std::copysign(nan, -1.0F);
  for (const at::Tensor& y : {silu_of_each(x), sigmoid_of_each(x)}) {
    EXPECT_TRUE(at::equal(y.isnan(), x.isnan()));
  }
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
  const at::Tensor pixel = layer_norm_silu(x, {}, {}, 1e-6);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(group_norm_silu(x, 8, {}, {}, 1e-5), group));
    EXPECT_TRUE(at::equal(layer_norm_silu(x, {}, {}, 1e-6), pixel));
  }
  at::set_num_threads(before);
}

constexpr std::array<std::int64_t, 2> one_each = {1, 1};
const ConvolutionGeometry unit_steps = {one_each, one_each, one_each};

TEST(PrepackedConvolution, IsAConvolution) {
  const c10::InferenceMode no_gradients;
  PrepackedConvolution packed;
  const at::Tensor w = at::randn({8, 6, 3, 3}) * 0.1;
  const at::Tensor b = at::randn({8});
  const at::Tensor other = at::randn({4, 3, 1, 1});
  // Sizes change and come back: what was kept for one must not serve another.
  for (const std::int64_t side : {8, 33, 8}) {
    const at::Tensor x = at::randn({2, 6, side, side + 3});
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const at::Tensor image = x.contiguous(format);
      expect_close(packed(image, w, b, {{2, 2}, {1, 1}, {1, 1}, 1}), at::conv2d(x, w, b, 2, 1));
      expect_close(packed(image, other, {}, {{1, 1}, {0, 0}, {1, 1}, 2}),
                   at::conv2d(x, at::Tensor(other), {}, 1, at::IntArrayRef{0, 0}, 1, 2));
    }
  }
}

TEST(PrepackedConvolution, KeepsNothingOfAnotherCall) {
  const c10::InferenceMode no_gradients;
  PrepackedConvolution packed;
  const at::Tensor w = at::randn({8, 6, 3, 3}) * 0.1;
  const at::Tensor x = at::randn({1, 6, 9, 11}).contiguous(at::MemoryFormat::ChannelsLast);
  for (const std::int64_t stride : {1, 2}) {
    for (int call = 0; call < 2; ++call) {  // such as another noise level's
      const at::Tensor b = at::randn({8});
      expect_close(packed(x, w, b, {{stride, stride}, {1, 1}, {1, 1}, 1}),
                   at::conv2d(x, w, b, stride, 1));
    }
  }
}

TEST(PrepackedConvolution, PacksAWeightOnce) {
  const c10::InferenceMode no_gradients;
  PrepackedConvolution prepacked;
  const at::Tensor w = at::randn({8, 6, 3, 3}) * 0.1;
  const at::Tensor x = at::randn({1, 6, 9, 11});
  const at::Tensor expected = prepacked(x, w, {}, unit_steps);
  const at::Tensor other = w.clone();
  w.zero_();
  EXPECT_TRUE(at::equal(prepacked(x, w, {}, unit_steps), expected));
  EXPECT_TRUE(at::equal(prepacked(x, other * 2, {}, unit_steps), expected * 2));
}

// A process at its limit of memory goes on with the sizes that it knows.
TEST(PrepackedConvolution, LooksForMemoryBeforeTheFirstCallOfASizeAlone) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory is beyond any limit";
#endif
  const c10::InferenceMode no_gradients;
  PrepackedConvolution prepacked;
  const at::Tensor w = at::randn({8, 6, 3, 3});
  const at::Tensor x = at::randn({1, 6, 9, 11});
  const at::Tensor wider = at::randn({1, 6, 9, 12});
  const at::Tensor expected = prepacked(x, w, {}, unit_steps);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit none = {1 << 20, before.rlim_max};  // what is there already stays
  ASSERT_EQ(setrlimit(RLIMIT_AS, &none), 0);
  at::Tensor again;
  bool refused = false;
  try {
    again = prepacked(x, w, {}, unit_steps);
    prepacked(wider, w, {}, unit_steps);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_TRUE(again.defined() && at::equal(again, expected));
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace srdiff::cpu
