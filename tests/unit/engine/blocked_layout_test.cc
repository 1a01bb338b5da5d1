#include "engine/cpu/blocked_layout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <atomic>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/cpu/convolution.h"
#include "engine/cpu/norm.h"
#include "engine/cpu/operators.h"
#include "engine/cpu/rewrite_graph.h"
#include "srdiff/device.h"
#include "support/blocks_fixture.h"
#include "support/expect.h"
#include "support/occurrences.h"

namespace srdiff::cpu {
namespace {

const std::vector<std::int64_t> zeros = {0, 0};
const std::vector<std::int64_t> ones = {1, 1};
const std::vector<std::int64_t> twos = {2, 2};
const ConvolutionGeometry at_points = {ones, zeros, ones};
const ConvolutionGeometry of_neighbours = {ones, ones, ones};

class ChannelBlocksTest : public support::BlocksFixture {
 protected:
  static void expect_close(const at::Tensor& measured, const at::Tensor& expected) {
    support::expect_close(measured, expected, 3e-5);
  }

  /// Rewrites a network and expects the image that it gave before.
  static void expect_same_when_rewritten(torch::jit::Module& module,
                                         const std::vector<c10::IValue>& inputs) {
    const at::Tensor expected = module.forward(inputs).toTensor();
    rewrite_graph(module);
    expect_close(module.forward(inputs).toTensor(), expected);
  }
};

TEST_F(ChannelBlocksTest, HoldTheImage) {
  const at::Tensor x = at::randn({2, 48, 5, 7});
  const at::Tensor blocks = to_blocks(x);
  ASSERT_TRUE(in_blocks(blocks));
  EXPECT_EQ(blocks[1][1][4][6][2].item<float>(), x[1][channel_block() + 2][4][6].item<float>());
  EXPECT_TRUE(at::equal(from_blocks(blocks), x));
  EXPECT_TRUE(at::equal(from_blocks(x), x));
  EXPECT_TRUE(at::equal(from_blocks(to_blocks(x.contiguous(at::MemoryFormat::ChannelsLast))), x));
  EXPECT_EQ(image_size(blocks), x.sizes());
  // Pixels that are a multiple of the block, and many.
  const at::Tensor large = at::randn({1, 48, 32, 24});
  const at::Tensor large_blocks = to_blocks(large);
  EXPECT_TRUE(at::equal(
      large_blocks,
      large.reshape({1, -1, channel_block(), 32, 24}).permute({0, 1, 3, 4, 2}).contiguous()));
  EXPECT_TRUE(at::equal(from_blocks(large_blocks), large));
}

TEST_F(ChannelBlocksTest, RepeatPixels) {
  const at::Tensor x = at::randn({2, 32, 3, 5});
  for (const std::int64_t factor : {1, 2, 3}) {
    EXPECT_TRUE(at::equal(from_blocks(repeat_pixels(to_blocks(x), factor)),
                          at::upsample_nearest2d(x, {3 * factor, 5 * factor})));
  }
}

TEST_F(ChannelBlocksTest, OneBlockOfAllChannelsIsChannelsLast) {
  const at::Tensor x = at::randn({2, 48, 5, 7});
  const at::Tensor last = to_blocks(x, 48);
  EXPECT_TRUE(at::equal(last, x.permute({0, 2, 3, 1}).unsqueeze(1)));
  EXPECT_TRUE(at::equal(from_blocks(last), x));
  EXPECT_EQ(image_size(last), x.sizes());
  EXPECT_TRUE(at::equal(from_blocks(repeat_pixels(last, 2)), at::upsample_nearest2d(x, {10, 14})));
  const at::Tensor large = at::randn({1, 32, 32, 24});
  EXPECT_TRUE(at::equal(from_blocks(to_blocks(large, 32)), large));
  EXPECT_THROW(to_blocks(x, 40), c10::Error);
  EXPECT_THROW(to_blocks(at::randn({1, 64, 4, 4}), 32), c10::Error);  // neither b nor all
}

TEST_F(ChannelBlocksTest, JoinedAlongTheirChannels) {
  const at::Tensor x = at::randn({2, 48, 5, 7});
  const at::Tensor y = at::randn({2, 32, 5, 7});
  const at::Tensor expected = at::cat({x, y}, 1);
  const auto joined = [](const at::Tensor& a, const at::Tensor& b) {
    return join_channels(std::vector<at::Tensor>{a, b});
  };
  EXPECT_TRUE(at::equal(from_blocks(joined(to_blocks(x), to_blocks(y))), expected));
  EXPECT_TRUE(at::equal(joined(to_blocks(x, 48), to_blocks(y, 32)), to_blocks(expected, 80)));
  const at::Tensor narrow = at::randn({2, channel_block(), 5, 7});  // the same in both layouts
  EXPECT_TRUE(
      at::equal(from_blocks(joined(to_blocks(x, 48), to_blocks(narrow))), at::cat({x, narrow}, 1)));
  EXPECT_TRUE(at::equal(from_blocks(joined(to_blocks(narrow), to_blocks(narrow))),
                        at::cat({narrow, narrow}, 1)));
  EXPECT_FALSE(joined(to_blocks(x), to_blocks(y, 32)).defined());
  EXPECT_FALSE(joined(to_blocks(x, 48), to_blocks(at::randn({2, 32, 5, 6}), 32)).defined());
}

TEST_F(ChannelBlocksTest, NormsAreTheSameInBothLayouts) {
  const at::Tensor x = at::randn({2, 48, 37, 31}) * 30 + 50;
  const at::Tensor blocks = to_blocks(x);
  const at::Tensor last = to_blocks(x, 48);
  const at::Tensor w = at::randn({48});
  const at::Tensor b = at::randn({48});
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t groups : {1, 3, 16, 48}) {
      EXPECT_TRUE(at::equal(from_blocks(group_norm_silu(last, groups, w, b, 1e-5, type)),
                            from_blocks(group_norm_silu(blocks, groups, w, b, 1e-5, type))));
      EXPECT_TRUE(
          at::equal(from_blocks(group_norm_in_any_layout(last, groups, w, b, 1e-5, type)),
                    from_blocks(group_norm_in_any_layout(blocks, groups, w, b, 1e-5, type))));
    }
    EXPECT_TRUE(at::equal(from_blocks(layer_norm_silu(last, w, b, 1e-6, type)),
                          from_blocks(layer_norm_silu(blocks, w, b, 1e-6, type))));
  }
}

TEST_F(ChannelBlocksTest, NormAndSiluAreThoseOfPlainImages) {
  const at::Tensor x = at::randn({2, 48, 37, 31}) * 30 + 50;
  const at::Tensor w = at::randn({48});
  const at::Tensor b = at::randn({48});
  // Groups of 3 channels lie across the blocks' borders.
  for (const std::int64_t groups : {1, 3, 16, 48}) {
    const at::Tensor normal = at::group_norm(x, groups, w, b, 1e-5);
    expect_close(from_blocks(group_norm_in_any_layout(to_blocks(x), groups, w, b, 1e-5)), normal);
    expect_close(from_blocks(group_norm_silu(to_blocks(x), groups, w, b, 1e-5)), at::silu(normal));
  }
  expect_close(from_blocks(layer_norm_silu(to_blocks(x), w, b, 1e-6)),
               layer_norm_silu(x, w, b, 1e-6).contiguous());
  expect_close(from_blocks(layer_norm_silu(to_blocks(x), {}, {}, 1e-6)),
               layer_norm_silu(x, {}, {}, 1e-6).contiguous());
}

TEST_F(ChannelBlocksTest, NormsAndConvolutionsDoNotDependOnTheThreads) {
  const at::Tensor x = to_blocks(at::randn({1, 64, 33, 31}));
  const at::Tensor w = at::randn({96, 64, 1, 1}) * 0.1;
  BlockedConvolution convolutions;
  BlockedConvolution of_neighbours_in_bf16(has_bf16_convolutions());
  const at::Tensor filter = at::randn({64, 64, 3, 3}) * 0.1;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor group = group_norm_silu(x, 32, {}, {}, 1e-5);
  const at::Tensor pixel = layer_norm_silu(x, {}, {}, 1e-6);
  const at::Tensor image = convolutions(x, w, {}, at_points);
  const at::Tensor filtered = of_neighbours_in_bf16(x, filter, {}, of_neighbours);
  ASSERT_TRUE(image.defined() && filtered.defined());
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(group_norm_silu(x, 32, {}, {}, 1e-5), group));
    EXPECT_TRUE(at::equal(layer_norm_silu(x, {}, {}, 1e-6), pixel));
    EXPECT_TRUE(at::equal(convolutions(x, w, {}, at_points), image));
    EXPECT_TRUE(at::equal(of_neighbours_in_bf16(x, filter, {}, of_neighbours), filtered));
  }
  at::set_num_threads(before);
}

TEST_F(ChannelBlocksTest, ConvolutionsAreConvolutions) {
  BlockedConvolution convolutions;
  const at::Tensor w = at::randn({32, 48, 3, 3}) * 0.05;
  const at::Tensor b = at::randn({32});
  // Sizes and strides change and come back: what was kept for one must not serve another.
  for (const std::int64_t side : {8, 33, 8}) {
    const at::Tensor x = at::randn({2, 48, side, side + 3});
    for (const auto& stride : {ones, twos}) {
      const ConvolutionGeometry steps = {stride, ones, ones};
      const at::Tensor expected = at::conv2d(x, w, b, stride, at::IntArrayRef{1, 1});
      expect_close(from_blocks(convolutions(x, w, b, steps)), expected);
      expect_close(from_blocks(convolutions(to_blocks(x), w, b, steps)), expected);
    }
    expect_close(from_blocks(convolutions(x, w, {}, {ones, twos, twos})),
                 at::conv2d(x, w, {}, 1, 2, 2));
  }
}

// A tensor may lie where an earlier one lay.
TEST_F(ChannelBlocksTest, ConvolutionsDoNotTakeAWeightForAnEarlierOne) {
  BlockedConvolution convolutions;
  const at::Tensor small = at::randn({1, 32, 5, 6});
  const at::Tensor large = at::randn({1, 32, 40, 41});  // by Winograd's algorithm
  for (int i = 0; i < 4; ++i) {
    const at::Tensor w = at::randn({32, 32, 3, 3}) * 0.05;
    for (const at::Tensor& x : {small, large}) {
      expect_close(from_blocks(convolutions(x, w, {}, of_neighbours)), at::conv2d(x, w, {}, 1, 1));
    }
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsOfMoreSizesThanAreKept) {
  BlockedConvolution convolutions;
  const at::Tensor w = at::randn({32, 48, 1, 1}) * 0.1;
  std::vector<at::Tensor> images;
  std::vector<at::Tensor> results;
  for (std::int64_t side = 2; side < 42; ++side) {
    images.push_back(at::randn({1, 48, side, 5}));
    results.push_back(convolutions(images.back(), w, {}, {ones, zeros, ones}));
    expect_close(from_blocks(results.back()), at::conv2d(images.back(), w));
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_TRUE(at::equal(convolutions(images[i], w, {}, {ones, zeros, ones}), results[i])) << i;
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsAddAnImage) {
  BlockedConvolution convolutions;
  const at::Tensor b = at::randn({32});
  for (const std::int64_t side : {3, 1}) {
    const at::Tensor w = at::randn({32, 48, side, side}) * 0.05;
    const ConvolutionGeometry steps = side == 3 ? of_neighbours : at_points;
    const at::Tensor x = at::randn({2, 48, 9, 12});
    const at::Tensor other = at::randn({2, 32, 9, 12});
    const at::Tensor alone = at::conv2d(x, w, b, 1, side / 2);
    // In turns: a kernel that adds must not serve a call that does not.
    for (int turn = 0; turn < 2; ++turn) {
      expect_close(from_blocks(convolutions(x, w, b, steps, other)), alone + other);
      expect_close(from_blocks(convolutions(x, w, b, steps)), alone);
      expect_close(from_blocks(convolutions(to_blocks(x), w, b, steps, to_blocks(other))),
                   alone + other);
      expect_close(from_blocks(convolutions(x, w, {}, steps, other)),
                   at::conv2d(x, w, {}, 1, side / 2) + other);
    }
    EXPECT_FALSE(convolutions(x, w, b, steps, at::randn({2, 32, 1, 1})).defined());
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsFillUpBlocksThatChannelsDoNot) {
  const at::Tensor x = at::randn({2, 24, 9, 12});
  const at::Tensor to_more = at::randn({32, 24, 3, 3}) * 0.1;
  const at::Tensor to_less = at::randn({12, 32, 3, 3}) * 0.1;
  const at::Tensor b = at::randn({12});
  const at::Tensor other = at::randn({2, 32, 9, 12});
  BlockedConvolution convolutions;
  const at::Tensor middle = convolutions(x, to_more, {}, of_neighbours, other);
  ASSERT_TRUE(in_blocks(middle));
  const at::Tensor expected = at::conv2d(x, to_more, {}, 1, 1) + other;
  expect_close(from_blocks(middle), expected);
  for (const at::Tensor& bias : {b, at::Tensor()}) {
    const at::Tensor result = convolutions(middle, to_less, bias, of_neighbours);
    ASSERT_FALSE(in_blocks(result));
    expect_close(result, at::conv2d(expected, to_less, bias, 1, 1));
  }
  EXPECT_FALSE(
      convolutions(middle, to_less, b, of_neighbours, at::randn({2, 12, 9, 12})).defined());
}

TEST_F(ChannelBlocksTest, ConvolutionsInBf16RoundTheirInputsAlone) {
  if (!has_bf16_convolutions()) {
    GTEST_SKIP() << "a processor without AVX512-BF16";
  }
  BlockedConvolution convolutions(/*in_bf16=*/true);
  const at::Tensor x = at::randn({2, 48, 9, 12});
  const at::Tensor w = at::randn({32, 48, 3, 3}) * 0.05;
  const at::Tensor b = at::randn({32});
  const at::Tensor other = at::randn({2, 32, 9, 12});
  const auto rounded = [](const at::Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); };
  const at::Tensor expected = at::conv2d(rounded(x), rounded(w), b, 1, 1);
  for (const at::Tensor& image : {x, to_blocks(x), to_blocks(x, 48), round_to_bf16(to_blocks(x)),
                                  round_to_bf16(to_blocks(x, 48))}) {
    const at::Tensor result = convolutions(image, w, b, of_neighbours);
    EXPECT_EQ(result.scalar_type(), at::kFloat);
    expect_close(from_blocks(result), expected);
    expect_close(from_blocks(convolutions(image, w, b, of_neighbours, other)), expected + other);
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsOfEnlargedImages) {
  const at::Tensor b = at::randn({32});
  const auto enlarged = [](const at::Tensor& x) {
    return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  };
  for (const bool in_bf16 : {false, true}) {
    if (in_bf16 && !has_bf16_convolutions()) {
      continue;
    }
    BlockedConvolution convolutions(in_bf16);
    // 24: channels that do not fill their blocks. Borders are most of a small image.
    for (const std::int64_t channels : {48, 24}) {
      const at::Tensor w = at::randn({32, channels, 3, 3}) * 0.05;
      for (const std::int64_t side : {1, 5, 12}) {
        const at::Tensor x = at::randn({2, channels, side, side + 3});
        for (const at::Tensor& bias : {b, at::Tensor()}) {
          const at::Tensor result = convolutions.of_upsampled(x, w, bias);
          ASSERT_TRUE(in_blocks(result));
          const at::Tensor expected = at::conv2d(enlarged(x), w, bias, 1, 1);
          const at::Tensor difference = (from_blocks(result) - expected).abs();
          EXPECT_LT(difference.max().item<double>(), in_bf16 ? 0.05 : 3e-5) << side;
        }
      }
    }
    // The filter of the enlarged image and that of the image itself are two.
    const at::Tensor w = at::randn({32, 48, 3, 3}) * 0.05;
    const at::Tensor x = at::randn({1, 48, 6, 6});
    for (int turn = 0; turn < 2; ++turn) {
      EXPECT_EQ(image_size(convolutions.of_upsampled(x, w, b))[2], 12);
      EXPECT_EQ(image_size(convolutions(x, w, b, of_neighbours))[2], 6);
    }
    EXPECT_FALSE(convolutions.of_upsampled(x, at::randn({32, 48, 5, 5}), b).defined());
    EXPECT_FALSE(convolutions.of_upsampled(x, at::randn({28, 48, 3, 3}), {}).defined());
  }
}

TEST_F(ChannelBlocksTest, RoundToBf16AsLibTorchDoes) {
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor special =
      at::tensor({0.0F, -0.0F, infinity, -infinity, 3.4e38F, 1.00390625F, 1.01171875F, 1e-40F});
  const at::Tensor values = at::cat({special.repeat({4}), at::randn({4096}) * 100});
  const at::Tensor x = values.reshape({1, 1, 43, 6, 16});
  EXPECT_TRUE(at::equal(round_to_bf16(x).view(at::kShort), x.to(at::kBFloat16).view(at::kShort)));
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(
      at::isnan(round_to_bf16(at::full({1, 1, 3, 3, 16}, not_a_number))).all().item<bool>());
}

TEST_F(ChannelBlocksTest, NormsWriteWhatConvolutionsInBf16WouldRoundTo) {
  const at::Tensor x = to_blocks(at::randn({2, 48, 7, 9}) * 3);
  const at::Tensor w = at::randn({48});
  const at::Tensor b = at::randn({48});
  const auto expect_rounded = [](const at::Tensor& measured, const at::Tensor& exact) {
    ASSERT_EQ(measured.scalar_type(), at::kBFloat16);
    // The same sums may be contracted differently: one step of bfloat16.
    EXPECT_TRUE(at::allclose(measured.to(at::kFloat), exact, 1.0 / 128, 1e-6));
  };
  expect_rounded(group_norm_in_any_layout(x, 3, w, b, 1e-5, at::kBFloat16),
                 group_norm_in_any_layout(x, 3, w, b, 1e-5));
  expect_rounded(group_norm_silu(x, 3, w, b, 1e-5, at::kBFloat16),
                 group_norm_silu(x, 3, w, b, 1e-5));
  expect_rounded(layer_norm_silu(x, w, b, 1e-6, at::kBFloat16), layer_norm_silu(x, w, b, 1e-6));
}

TEST_F(ChannelBlocksTest, ConvolutionsThatCannotBeHadAreRefused) {
  BlockedConvolution convolutions;
  const auto takes = [&](const at::Tensor& x, const at::Tensor& w, std::int64_t groups) {
    return convolutions(x, w, {}, {ones, ones, ones, groups}).defined();
  };
  const at::Tensor x = at::randn({1, 32, 8, 8});
  EXPECT_TRUE(takes(x, at::randn({16, 32, 3, 3}), 1));
  EXPECT_FALSE(takes(x, at::randn({3, 32, 3, 3}), 1));                        // channels out
  EXPECT_FALSE(takes(at::randn({1, 3, 8, 8}), at::randn({16, 3, 3, 3}), 1));  // and in
  EXPECT_FALSE(takes(x, at::randn({32, 16, 3, 3}), 2));
  EXPECT_FALSE(
      convolutions(at::randn({1, 32, 2, 2}), at::randn({16, 32, 3, 3}), {}, {twos, zeros, ones, 1})
          .defined());  // the filter does not fit
  EXPECT_FALSE(takes(x.to(at::kBFloat16), at::randn({16, 32, 3, 3}).to(at::kBFloat16), 1));
  // bf16 in blocks is for those who asked for it
  EXPECT_FALSE(takes(round_to_bf16(to_blocks(x)), at::randn({16, 32, 3, 3}), 1));
}

/// What the networks do with images, and what engine/cpu/rewrite_graph.h must see through: a list
/// of skips, branches on attributes, sums with a value for each channel, shapes, operators without
/// blocks.
constexpr const char* everything = R"(
def forward(self, x, level):
    skips : List[Tensor] = []
    x = torch.conv2d(x, self.first, self.bias, [1, 1], [1, 1])
    skips.append(x)
    h = torch.conv2d(torch.silu(torch.group_norm(x, 4, None, None, 1e-5)), self.second, None, [1, 1], [1, 1])
    h = h + level.unsqueeze(-1).unsqueeze(-1)
    if self.joined:
        h = torch.cat([h, skips.pop()], 1)
    x = torch.conv2d(h, self.third, None, [2, 2], [1, 1]) + torch.conv2d(h, self.fourth, None, [2, 2])
    n, c, height, width = x.size(0), x.size(1), x.shape[2], x.size(-1)
    for i in range(2):
        width = width * 1
    mixed = torch.softmax(x.reshape(n, c, height * width), -1).reshape(n, c, height, width)
    x = torch.conv2d(torch.group_norm(x, 2, None, None, 1e-5), self.fifth, self.bias, [1, 1]) + x
    y = torch.silu(x) + mixed
    odd = torch.conv2d(y, self.odd, None, [1, 1], [1, 1])
    return torch.cat([odd, y], 1), x
)";

torch::jit::Module network_with_everything() {
  torch::jit::Module module("Everything");
  const auto weight = [&](const char* name, const at::Tensor& value) {
    module.register_parameter(name, value, false);
  };
  weight("first", at::randn({32, 16, 3, 3}) * 0.1);
  weight("bias", at::randn({32}));
  weight("second", at::randn({32, 32, 3, 3}) * 0.1);
  weight("third", at::randn({32, 64, 3, 3}) * 0.1);
  weight("fourth", at::randn({32, 64, 1, 1}) * 0.1);
  weight("fifth", at::randn({32, 32, 1, 1}) * 0.1);
  weight("odd", at::randn({5, 32, 3, 3}) * 0.1);
  module.register_attribute("joined", c10::BoolType::get(), true);
  module.define(everything);
  return module;
}

TEST_F(ChannelBlocksTest, ARewrittenNetworkGivesTheSame) {
  const torch::jit::Module original = network_with_everything();
  torch::jit::Module module = original.deepcopy();
  torch::jit::Module module_in_bf16 = original.deepcopy();
  rewrite_graph(module);
  rewrite_graph(module_in_bf16, /*in_bf16=*/has_bf16_convolutions());
  const std::string graph = module.get_method("forward").graph()->toString();
  EXPECT_EQ(support::occurrences(graph, "srdiff::conv2d_to_blocks"), 3U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::conv2d_add_to_blocks"), 3U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::cat_channels"), 2U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::add("), 1U) << graph;
  for (const bool in_bf16 : {false, true}) {
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    // The offsets of a batch are folded into the bias when they are the same for all its images.
    const at::Tensor offset = at::randn({1, 32});
    for (const at::Tensor& level : {offset.repeat({2, 1}), at::randn({2, 32})}) {
      const std::vector<c10::IValue> inputs = {at::randn({2, 16, 12, 10}), level};
      const auto expected = torch::jit::Module(original).forward(inputs).toTuple();
      const auto measured = (in_bf16 ? module_in_bf16 : module).forward(inputs).toTuple();
      for (std::size_t i = 0; i < 2; ++i) {
        const at::Tensor result = measured->elements()[i].toTensor();
        const at::Tensor exact = expected->elements()[i].toTensor();
        ASSERT_EQ(result.sizes(), exact.sizes());
        EXPECT_LT((result - exact).abs().max().item<double>(), in_bf16 ? 0.1 : 3e-5);
      }
    }
  }
}

TEST_F(ChannelBlocksTest, SeveralThreadsCallANetworkAtOnce) {
  torch::jit::Module module = network_with_everything();
  rewrite_graph(module);
  const auto run = [&](const std::vector<c10::IValue>& inputs) {
    const c10::InferenceMode no_gradients;
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    return torch::jit::Module(module).forward(inputs).toTuple()->elements()[0].toTensor();
  };
  // Of several sizes, so that kernels are made while others run.
  std::vector<std::vector<c10::IValue>> inputs;
  for (const std::int64_t side : {12, 20, 28, 36}) {
    inputs.push_back({at::randn({1, 16, side, side}), at::randn({1, 32})});
  }
  std::vector<at::Tensor> expected;
  expected.reserve(inputs.size());
  for (const auto& input : inputs) {
    expected.push_back(run(input));
  }
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t first = 0; first < inputs.size(); ++first) {
    threads.emplace_back([&, first] {
      set_threads(1);
      for (std::size_t i = 0; i < 20; ++i) {
        const std::size_t which = (first + i) % inputs.size();
        wrong += at::equal(run(inputs[which]), expected[which]) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(ChannelBlocksTest, WeightsThatConvolutionsAloneReadMayStayInHalf) {
  torch::jit::Module module("Halves");
  const auto weight = [&](const char* name, const at::Tensor& value) {
    // Values that fp16 holds, so that nothing but a wrong conversion can change a result.
    module.register_parameter(name, value.to(at::kHalf).to(at::kFloat), false);
  };
  weight("first", at::randn({32, 16, 3, 3}) * 0.1);
  weight("bias", at::randn({32}));
  weight("in_blocks", at::randn({32, 32, 3, 3}) * 0.1);
  weight("packed", at::randn({5, 32, 3, 3}) * 0.1);
  module.define(R"(
def forward(self, x):
    x = torch.conv2d(x.to(self.first.dtype), self.first, self.bias, [1, 1], [1, 1])
    x = torch.silu(torch.conv2d(x, self.in_blocks, self.bias, [1, 1], [1, 1]))
    return torch.conv2d(x, self.packed, None, [1, 1])
)");
  torch::jit::Module halves = module.deepcopy();
  EXPECT_EQ(rewrite_graph(module), (std::set<std::string>{"in_blocks", "packed"}));
  for (const std::string& name : rewrite_graph(halves)) {
    at::Tensor value = halves.attr(name).toTensor();
    value.set_data(value.to(at::kHalf));
  }
  const at::Tensor x = at::randn({2, 16, 12, 10});
  const auto run = [&x](torch::jit::Module& network) { return network.forward({x}).toTensor(); };
  EXPECT_TRUE(at::equal(run(halves), run(module)));
}

TEST_F(ChannelBlocksTest, EnlargesByWholeFactorsWithoutLeavingBlocks) {
  torch::jit::Module module("Enlarged");
  module.register_parameter("w", at::randn({16, 16, 3, 3}) * 0.1, false);
  module.register_parameter("point", at::randn({16, 16, 1, 1}), false);
  // As flatten.py writes it; the last two are others' and stay LibTorch's.
  module.define(R"(
def forward(self, x):
    y = torch.conv2d(x, self.w, None, [1, 1], [1, 1])
    twice = torch.upsample_nearest2d(y, None, [2., 2.])
    z = torch.conv2d(twice, self.w, None, [1, 1], [1, 1])
    thrice = torch.upsample_nearest2d(z, None, [3., 3.])
    z = torch.conv2d(thrice, self.w, None, [1, 1], [1, 1])
    z = torch.conv2d(torch.upsample_nearest2d(z, None, [2., 2.]), self.point, None, [1, 1], [1, 1])
    z = z * torch.sum(z)
    wider = torch.upsample_nearest2d(z, None, [1., 2.])
    return torch.upsample_nearest2d(wider, [7, 9], None)
)");
  expect_same_when_rewritten(module, {at::randn({2, 16, 4, 3})});
  const std::string graph = module.get_method("forward").graph()->toString();
  EXPECT_EQ(support::occurrences(graph, "srdiff::upsample_nearest"), 1U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::conv2d_of_upsampled"), 2U) << graph;
  EXPECT_EQ(support::occurrences(graph, "aten::upsample_nearest2d"), 2U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::plain"), 2U)
      << graph;  // for torch.sum and for the last two
}

TEST_F(ChannelBlocksTest, AskingForATypeLeavesBlocksAsTheyAre) {
  torch::jit::Module module("Typed");
  module.register_parameter("w", at::randn({16, 16, 3, 3}) * 0.1, false);
  module.register_parameter("scale", at::randn({16}), false);
  // As flatten.py writes a norm of positions.
  module.define(R"(
def forward(self, x):
    y = torch.conv2d(x, self.w, None, [1, 1], [1, 1])
    forth = torch.permute(y, [0, 2, 3, 1])
    scale = torch.to(self.scale, y.dtype)
    normal = torch.layer_norm(forth, [y.size()[1]], scale, None, 1e-6)
    z = torch.silu(torch.permute(normal, [0, 3, 1, 2]))
    return torch.conv2d(z, self.w, None, [1, 1], [1, 1])
)");
  expect_same_when_rewritten(module, {at::randn({2, 16, 4, 3})});
  const std::string graph = module.get_method("forward").graph()->toString();
  EXPECT_EQ(support::occurrences(graph, "srdiff::layer_norm_silu"), 1U) << graph;
  EXPECT_EQ(support::occurrences(graph, "srdiff::plain"), 1U) << graph;  // of the result
}

TEST_F(ChannelBlocksTest, LinearLayersOfOneInputBecomeOne) {
  torch::jit::Module module("Embedded");
  for (const char* name : {"first", "second", "third"}) {
    module.register_parameter(name, at::randn({24, 8}), false);
  }
  module.register_parameter("b", at::randn({24}), false);
  // The last two have no bias, or one that is computed.
  module.define(R"(
def forward(self, x):
    a = torch.linear(x, self.first, self.b)
    b = torch.linear(x, self.second, self.b)
    d = torch.linear(x, self.third)
    return a, b * 2, torch.linear(x, self.third, self.b + 1), d
)");
  const at::Tensor x = at::randn({3, 8});
  const auto expected = module.forward({x}).toTuple();
  rewrite_graph(module);
  const std::string graph = module.get_method("forward").graph()->toString();
  EXPECT_EQ(support::occurrences(graph, "srdiff::linear"), 1U) << graph;
  EXPECT_EQ(support::occurrences(graph, "aten::linear"), 2U) << graph;
  const auto measured = module.forward({x}).toTuple();
  for (std::size_t i = 0; i < 4; ++i) {
    expect_close(measured->elements()[i].toTensor(), expected->elements()[i].toTensor());
  }
}

TEST_F(ChannelBlocksTest, WhatChangesAnImageInPlaceChangesItForAll) {
  const std::vector<std::string> lines = {
      "r = torch.relu_(h)\n    return torch.conv2d(r, self.w, None, [1, 1], [1, 1]) + h",
      "h[:, 0:3] *= 2\n    return torch.relu(h) + h",
      "h[:, :, 0] = 0.0\n    return torch.conv2d(h, self.w, None, [1, 1], [1, 1])",
      "return torch.conv2d(torch.relu_(h), self.w, None, [1, 1], [1, 1])"};
  for (const std::string& rest : lines) {
    torch::jit::Module module("InPlace");
    module.register_parameter("w", at::randn({16, 16, 3, 3}) * 0.1, false);
    module.define(
        "def forward(self, x):\n    h = torch.conv2d(x, self.w, None, [1, 1], [1, 1])\n    " +
        rest + "\n");
    expect_same_when_rewritten(module, {at::randn({1, 16, 6, 6})});
  }
}

TEST_F(ChannelBlocksTest, AnOffsetOfSeveralImagesMakesSeveral) {
  torch::jit::Module module("Offset");
  module.register_parameter("w", at::randn({16, 16, 3, 3}) * 0.1, false);
  module.define(R"(
def forward(self, x, level):
    return torch.conv2d(x, self.w, None, [1, 1], [1, 1]) + level
)");
  expect_same_when_rewritten(
      module, {at::randn({1, 16, 6, 6}), at::randn({1, 16, 1, 1}).repeat({2, 1, 1, 1})});
}

TEST_F(ChannelBlocksTest, ANetworkThatIsNotUnderstoodKeepsPlainImages) {
  torch::jit::Module module("Loop");
  module.register_parameter("w", at::randn({16, 16, 3, 3}) * 0.1, false);
  module.define(R"(
def forward(self, x):
    for i in range(3):
        x = torch.conv2d(x, self.w, None, [1, 1], [1, 1])
    return x
)");
  expect_same_when_rewritten(module, {at::randn({1, 16, 6, 6})});
}

}  // namespace
}  // namespace srdiff::cpu
