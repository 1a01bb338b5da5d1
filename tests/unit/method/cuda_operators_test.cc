#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <cmath>
#include <vector>

#include "engine/cuda/operators.h"
#include "engine/cuda/patch_operators.h"
#include "engine/linear_combination.h"
#include "srdiff/noise.h"
#include "srdiff/sampler.h"
#include "srdiff/schedule.h"
#include "support/sample.h"

namespace srdiff::cuda {
namespace {

at::Tensor randn(at::IntArrayRef shape, c10::Device device) {
  return at::randn(shape, at::TensorOptions().device(device));
}

at::Tensor image(at::IntArrayRef shape, c10::Device device, c10::ScalarType type) {
  return (randn(shape, device) * 2 + 3).to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

struct Tolerance {
  double most;  ///< of one value: a sum may be rounded the other way before it is normalised
  double all;   ///< of all together
};

Tolerance tolerance(c10::ScalarType type) {
  return type == c10::kFloat  ? Tolerance{1e-4, 2e-5}
         : type == c10::kHalf ? Tolerance{2e-2, 2e-3}
                              : Tolerance{1e-1, 1e-2};
}

/// `measured` against float64: values in units of 1 + |expected|, and the whole relatively.
void expect_close(const at::Tensor& measured, const at::Tensor& expected, c10::ScalarType type) {
  ASSERT_EQ(measured.sizes(), expected.sizes());
  ASSERT_EQ(measured.scalar_type(), type);
  const at::Tensor error = (measured.to(at::kDouble) - expected).abs();
  EXPECT_LT((error / (expected.abs() + 1)).max().item<double>(), tolerance(type).most);
  EXPECT_LT((error.norm() / (expected.norm() + 1e-9)).item<double>(), tolerance(type).all);
}

at::Tensor sum_in_float64(const ImageTerms& terms) {
  at::Tensor sum = terms.a.to(at::kDouble);
  if (terms.addend.defined()) {
    sum = sum + terms.addend.to(at::kDouble);
  }
  if (terms.bias.defined()) {
    sum = sum + terms.bias.to(at::kDouble).reshape({1, -1, 1, 1});
  }
  if (terms.offset.defined()) {
    sum = sum + terms.offset.to(at::kDouble).unsqueeze(-1).unsqueeze(-1);
  }
  return terms.b.defined() ? at::cat({sum, terms.b.to(at::kDouble)}, 1) : sum;
}

struct Case {
  std::int64_t images, channels, joined, height, width, groups;
  bool addend, bias, offset;
};

ImageTerms terms_of(const Case& c, c10::Device device, c10::ScalarType type) {
  ImageTerms terms = {image({c.images, c.channels, c.height, c.width}, device, type)};
  if (c.addend) {
    terms.addend = image({c.images, c.channels, c.height, c.width}, device, type);
  }
  if (c.joined > 0) {
    terms.b = image({c.images, c.joined, c.height, c.width}, device, type);
  }
  if (c.bias) {
    terms.bias = randn({c.channels}, device);
  }
  if (c.offset) {  // a part of a wider product, as merged linear layers give
    terms.offset =
        randn({c.images, 3 * c.channels}, device).to(type).narrow(1, c.channels, c.channels);
  }
  return terms;
}

void expect_norm(const Case& c, c10::Device device, c10::ScalarType type) {
  SCOPED_TRACE(::testing::Message()
               << c.images << "x(" << c.channels << '+' << c.joined << ")x" << c.height << 'x'
               << c.width << ", " << c.groups << " groups, " << c10::toString(type));
  const ImageTerms terms = terms_of(c, device, type);
  const std::int64_t channels = c.channels + c.joined;
  NormParameters norm = {c.groups, randn({channels}, device), randn({channels}, device), 1e-5,
                         true};
  const at::Tensor exact = sum_in_float64(terms);
  for (const bool silu : {true, false}) {
    norm.silu = silu;
    const auto [sum, result] = normalised_sum(terms, norm, silu);
    // Of the rounded sum, which is what the norm sees.
    const at::Tensor normalised =
        at::group_norm(exact.to(type).to(at::kDouble), c.groups, norm.weight.to(at::kDouble),
                       norm.bias.to(at::kDouble), norm.eps);
    expect_close(result, silu ? at::silu(normalised) : normalised, type);
    EXPECT_EQ(sum.defined(), silu);
    if (sum.defined()) {
      expect_close(sum, exact, type);
    }
    // The same bits once more.
    EXPECT_TRUE(at::equal(result, std::get<1>(normalised_sum(terms, norm, false))));
  }
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {2, 64, 0, 64, 64, 32, true, true, false},     // a cluster of blocks
      {1, 64, 64, 64, 64, 32, false, true, false},   // with a skip
      {3, 192, 128, 16, 16, 32, true, true, false},  // a group of 10 on both sides of the join
      {3, 128, 0, 32, 32, 32, false, true, true},
      {5, 192, 192, 8, 8, 32, true, true, true},
      {2, 384, 0, 8, 8, 32, false, false, false},
      {2, 32, 0, 7, 5, 16, false, true, true},  // threads without a position
      {2, 96, 64, 33, 31, 32, true, false, true},
      {1, 512, 512, 8, 8, 32, true, true, false},
      {1, 64, 0, 128, 128, 32, true, true, false},
      {1, 64, 0, 150, 201, 32, true, true, true},  // more than registers hold
      {1, 48, 0, 211, 97, 1, false, false, false},
      {2, 256, 0, 1, 1, 16, false, true, false},
      {2, 30, 0, 9, 9, 15, true, true, true},  // LibTorch's: no whole vectors
      {1, 4, 6, 5, 4, 2, true, true, false}};
  return all;
}

TEST(Fusion, NormOfASumIsThatOfLibTorch) {
  for (const Case& c : cases()) {
    expect_norm(c, c10::kCPU, c10::kFloat);
  }
}

#define SRDIFF_NEEDS_CUDA()           \
  if (!torch::cuda::is_available()) { \
    GTEST_SKIP() << "no CUDA device"; \
  }

constexpr c10::ScalarType types[] = {c10::kFloat, c10::kHalf, c10::kBFloat16};

TEST(Cuda, NormOfASumIsThatOfLibTorch) {
  SRDIFF_NEEDS_CUDA();
  for (const c10::ScalarType type : types) {
    for (const Case& c : cases()) {
      expect_norm(c, c10::kCUDA, type);
    }
  }
}

TEST(Cuda, NormOfValuesFarFromZero) {
  SRDIFF_NEEDS_CUDA();
  for (const std::int64_t side : {8, 32, 200}) {
    const at::Tensor x =
        (randn({2, 32, side, side}, c10::kCUDA) + 1000).contiguous(at::MemoryFormat::ChannelsLast);
    const NormParameters norm = {8, at::ones({32}, x.options()), at::zeros({32}, x.options()), 1e-5,
                                 false};
    const at::Tensor result = std::get<1>(normalised_sum({x}, norm, false));
    const at::Tensor expected = at::group_norm(x.to(at::kDouble), 8);
    EXPECT_LT((result - expected).abs().max().item<double>(), 5e-4);
  }
}

TEST(Cuda, SumsAreThoseOfLibTorch) {
  SRDIFF_NEEDS_CUDA();
  for (const c10::ScalarType type : types) {
    for (Case c : cases()) {
      c.joined = 0;
      const ImageTerms terms = terms_of(c, c10::kCUDA, type);
      const at::Tensor exact = sum_in_float64(terms);
      const auto [sum, activated] = activated_sum(terms, true);
      expect_close(sum, exact, type);
      expect_close(activated, at::silu(exact.to(type).to(at::kDouble)), type);
      EXPECT_FALSE(std::get<0>(activated_sum(terms, false)).defined());
      expect_close(upsampled_sum(terms, 1), exact, type);
      for (const std::int64_t factor : {2, 3}) {
        expect_close(upsampled_sum(terms, factor),
                     at::upsample_nearest2d(exact, {c.height * factor, c.width * factor}), type);
      }
    }
  }
}

at::Tensor attention_in_float64(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                                double scale) {
  const auto part = qkv.to(at::kDouble).contiguous().reshape(parts).chunk(3, 1);
  const at::Tensor weight = at::softmax(at::bmm(part[0].transpose(1, 2), part[1]) * scale, -1);
  return at::bmm(part[2], weight.transpose(1, 2)).reshape(shape);
}

void expect_attention(c10::Device device, c10::ScalarType type) {
  struct Heads {
    std::int64_t images, heads, dim, height, width;
  };
  for (const Heads& h : {Heads{3, 6, 32, 8, 8}, Heads{2, 1, 512, 16, 16}, Heads{1, 3, 24, 5, 7}}) {
    const std::int64_t channels = h.heads * h.dim;
    const at::Tensor qkv = randn({h.images, 3 * channels, h.height, h.width}, device)
                               .to(type)
                               .contiguous(at::MemoryFormat::ChannelsLast);
    const std::vector<std::int64_t> parts = {h.images * h.heads, 3 * h.dim, h.height * h.width};
    const std::vector<std::int64_t> shape = {h.images, channels, h.height, h.width};
    const double scale = 1 / std::sqrt(static_cast<double>(h.dim));
    expect_close(attention_of_parts(qkv, parts, shape, scale),
                 attention_in_float64(qkv, parts, shape, scale), type);
  }
}

TEST(Fusion, AttentionIsThatOfLibTorch) {
  expect_attention(c10::kCPU, c10::kFloat);
}

TEST(Cuda, AttentionIsThatOfLibTorch) {
  SRDIFF_NEEDS_CUDA();
  for (const c10::ScalarType type : types) {
    expect_attention(c10::kCUDA, type);
  }
}

struct Ends {
  std::int64_t images, colours, height, width, grid;
  bool second, scaled;
};

const std::vector<Ends>& ends() {
  static const std::vector<Ends> all = {{3, 3, 16, 24, 2, true, true},
                                        {2, 3, 9, 15, 3, true, false},
                                        {1, 3, 7, 5, 1, true, true},
                                        {2, 1, 8, 8, 4, false, false}};
  return all;
}

/// a, c_in, c_skip and c_out, an image each.
at::Tensor scales(const Ends& e, c10::Device device) {
  return at::rand({e.scaled ? 4 : 0, e.images}, at::TensorOptions().device(device)) + 0.5;
}

at::Tensor scale(const DenoiserImages& images, std::int64_t which) {
  return images.scales[which].reshape({-1, 1, 1, 1}).to(at::kDouble);
}

void expect_patches(c10::Device device, c10::ScalarType type) {
  for (const Ends& e : ends()) {
    const std::vector<std::int64_t> shape = {e.images, e.colours, e.height, e.width};
    DenoiserImages images = {randn(shape, device)};
    at::Tensor expected = images.condition.to(at::kDouble);
    if (e.second) {
      images.x_t = randn(shape, device);
      images.scales = scales(e, device);
      at::Tensor second = images.x_t.to(at::kDouble);
      if (e.scaled) {
        second = (second / scale(images, 0) - images.condition) * scale(images, 1);
      }
      expected = at::cat({expected, second}, 1);
    }
    expected = at::pixel_unshuffle(expected, e.grid);
    const std::int64_t channels = (expected.size(1) + 7) / 8 * 8;
    const at::Tensor result = input_patches(images, e.grid, channels, type);
    EXPECT_TRUE(result.is_contiguous(at::MemoryFormat::ChannelsLast));
    expect_close(result,
                 at::constant_pad_nd(expected, {0, 0, 0, 0, 0, channels - expected.size(1)}), type);
  }
}

void expect_image(c10::Device device, c10::ScalarType type) {
  for (const Ends& e : ends()) {
    const std::int64_t used = e.colours * e.grid * e.grid;
    const std::vector<std::int64_t> shape = {e.images, e.colours, e.height, e.width};
    const at::Tensor x =
        image({e.images, used + 4, e.height / e.grid, e.width / e.grid}, device, type);
    const at::Tensor bias = randn({used}, device);
    DenoiserImages images;
    if (e.second) {
      images = {randn(shape, device), randn(shape, device), scales(e, device)};
    }
    at::Tensor expected = at::pixel_shuffle(
        x.to(at::kDouble).narrow(1, 0, used) + bias.reshape({1, -1, 1, 1}), e.grid);
    if (e.scaled) {
      const at::Tensor residual = images.x_t.to(at::kDouble) / scale(images, 0) - images.condition;
      expected = images.condition + scale(images, 2) * residual + scale(images, 3) * expected;
    }
    expect_close(output_image(x, bias, e.grid, images), expected, c10::kFloat);
  }
}

TEST(Fusion, PatchesAreThoseOfLibTorch) {
  expect_patches(c10::kCPU, c10::kFloat);
  expect_image(c10::kCPU, c10::kFloat);
}

TEST(Cuda, PatchesAreThoseOfLibTorch) {
  SRDIFF_NEEDS_CUDA();
  for (const c10::ScalarType type : types) {
    expect_patches(c10::kCUDA, type);
    expect_image(c10::kCUDA, type);
  }
}

TEST(Cuda, NoiseIsThatOfTheCpu) {
  SRDIFF_NEEDS_CUDA();
  const std::vector<std::uint64_t> keys = {1, 0x123456789ABCDEF0, ~std::uint64_t{0}};
  const at::Tensor made = noise_batch(keys, 300, 33, 20, c10::kCUDA).cpu();
  EXPECT_LT((made - noise_batch(keys, 300, 33, 20)).abs().max().item<double>(), 1e-6);
  const at::Tensor window = noise_field(keys[1], 7, 5, 9, 100000, 3, c10::kCUDA).cpu();
  const at::Tensor expected = noise_field(keys[1], 7, 5, 9, 100000, 3);
  EXPECT_LT((window - expected).abs().max().item<double>(), 1e-6);
}

TEST(Cuda, WeightedSumClipsAndKeepsWhatIsNoNumber) {
  SRDIFF_NEEDS_CUDA();
  const at::Tensor x = randn({3, 5, 7}, c10::kCUDA);
  const at::Tensor y = x / x.new_zeros({1}) - x / x.new_zeros({1});  // NaN
  EXPECT_TRUE(
      (LinearCombination(x) + LinearCombination(y)).tensor(true).isnan().all().item<bool>());
  const at::Tensor expected = (x * 2.0 + x.flip(0) * -0.5).clamp(-1.0, 1.0);
  const at::Tensor result =
      (LinearCombination(x) * 2.0 - LinearCombination(x.flip(0)) * 0.5).tensor(true);
  EXPECT_LT((result - expected).abs().max().item<double>(), 1e-6);
}

TEST(Cuda, ReverseStepsAreThoseOfTheCpu) {
  SRDIFF_NEEDS_CUDA();
  const Schedule schedule = Schedule::linear(2000, 1e-6, 1e-2);
  const at::Tensor start = at::randn({2, 3, 6, 4});
  const support::Denoiser denoiser = [](const at::Tensor& x, int t) {
    return x * (0.3 + 1e-4 * t);
  };
  const auto noise_on = [](c10::Device device) {
    return [device](int t) { return noise_batch({1, 2}, t, 6, 4, device); };
  };
  for (const SamplerKind kind : {SamplerKind::ddpm, SamplerKind::ddim, SamplerKind::dpmpp}) {
    for (const Parameterisation predicts :
         {Parameterisation::eps, Parameterisation::x0, Parameterisation::v}) {
      const std::vector<int> grid = kind == SamplerKind::ddpm
                                        ? std::vector<int>{5, 4, 3, 2, 1, 0}
                                        : std::vector<int>{300, 170, 60, 10, 0};
      const SamplerOptions options = {kind, predicts, kind == SamplerKind::ddim ? 0.5 : 0.0};
      const at::Tensor expected =
          support::sample(schedule, grid, start, denoiser, noise_on(c10::kCPU), options);
      const at::Tensor result =
          support::sample(schedule, grid, start.cuda(), denoiser, noise_on(c10::kCUDA), options);
      EXPECT_LT((result.cpu() - expected).abs().max().item<double>(), 1e-4)
          << to_string(kind) << ' ' << to_string(predicts);
    }
  }
}

}  // namespace
}  // namespace srdiff::cuda
