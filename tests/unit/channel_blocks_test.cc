#include "channel_blocks.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include "cpu_graph.h"
#include "cpu_operators.h"
#include "norm_silu.h"

namespace srdiff {
namespace {

class ChannelBlocksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (channel_block() == 0) {
      GTEST_SKIP() << "no oneDNN in this build, or a processor without AVX2";
    }
  }
  static void expect_close(const at::Tensor& measured, const at::Tensor& expected) {
    ASSERT_EQ(measured.sizes(), expected.sizes());
    EXPECT_LT((measured - expected).abs().max().item<double>(), 3e-5);
  }
  const c10::InferenceMode no_gradients_;
};

TEST_F(ChannelBlocksTest, HoldTheImage) {
  const at::Tensor x = at::randn({2, 48, 5, 7});
  const at::Tensor blocks = to_blocks(x);
  ASSERT_TRUE(in_blocks(blocks));
  EXPECT_EQ(blocks[1][1][4][6][2].item<float>(), x[1][channel_block() + 2][4][6].item<float>());
  EXPECT_TRUE(at::equal(from_blocks(blocks), x));
  EXPECT_TRUE(at::equal(from_blocks(x), x));
  EXPECT_TRUE(at::equal(from_blocks(to_blocks(x.contiguous(at::MemoryFormat::ChannelsLast))), x));
}

TEST_F(ChannelBlocksTest, RepeatPixels) {
  const at::Tensor x = at::randn({2, 32, 3, 5});
  for (const std::int64_t factor : {1, 2, 3}) {
    EXPECT_TRUE(at::equal(from_blocks(repeat_pixels(to_blocks(x), factor)),
                          at::upsample_nearest2d(x, {3 * factor, 5 * factor})));
  }
}

TEST_F(ChannelBlocksTest, NormAndSiluAreThoseOfPlainImages) {
  const at::Tensor x = at::randn({2, 48, 37, 31}) * 30 + 50;
  const at::Tensor w = at::randn({48});
  const at::Tensor b = at::randn({48});
  // Groups of 3 channels lie across the blocks' borders.
  for (const std::int64_t groups : {1, 3, 16, 48}) {
    expect_close(from_blocks(group_norm_silu(to_blocks(x), groups, w, b, 1e-5)),
                 at::silu(at::group_norm(x, groups, w, b, 1e-5)));
  }
  expect_close(from_blocks(pixel_norm_silu(to_blocks(x), w, b, 1e-6)),
               pixel_norm_silu(x, w, b, 1e-6).contiguous());
  expect_close(from_blocks(pixel_norm_silu(to_blocks(x), {}, {}, 1e-6)),
               pixel_norm_silu(x, {}, {}, 1e-6).contiguous());
}

TEST_F(ChannelBlocksTest, NormsAndConvolutionsDoNotDependOnTheThreads) {
  const at::Tensor x = to_blocks(at::randn({1, 64, 33, 31}));
  const at::Tensor w = at::randn({96, 64, 1, 1}) * 0.1;
  BlockedConvolutions convolutions;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor group = group_norm_silu(x, 32, {}, {}, 1e-5);
  const at::Tensor pixel = pixel_norm_silu(x, {}, {}, 1e-6);
  ASSERT_TRUE(convolutions.takes(x, w, {1, 1}, {0, 0}, {1, 1}, 1));
  const at::Tensor image = convolutions(x, w, {}, {1, 1}, {0, 0}, {1, 1});
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(group_norm_silu(x, 32, {}, {}, 1e-5), group));
    EXPECT_TRUE(at::equal(pixel_norm_silu(x, {}, {}, 1e-6), pixel));
    EXPECT_TRUE(at::equal(convolutions(x, w, {}, {1, 1}, {0, 0}, {1, 1}), image));
  }
  at::set_num_threads(before);
}

TEST_F(ChannelBlocksTest, ConvolutionsAreConvolutions) {
  BlockedConvolutions convolutions;
  const at::Tensor w = at::randn({32, 48, 3, 3}) * 0.05;
  const at::Tensor b = at::randn({32});
  // Sizes and strides change and come back: what was kept for one must not serve another.
  for (const std::int64_t side : {8, 33, 8}) {
    const at::Tensor x = at::randn({2, 48, side, side + 3});
    for (const std::int64_t stride : {1, 2}) {
      const std::vector<std::int64_t> steps = {stride, stride};
      ASSERT_TRUE(convolutions.takes(x, w, steps, {1, 1}, {1, 1}, 1));
      const at::Tensor expected = at::conv2d(x, w, b, steps, at::IntArrayRef{1, 1});
      expect_close(from_blocks(convolutions(x, w, b, steps, {1, 1}, {1, 1})), expected);
      expect_close(from_blocks(convolutions(to_blocks(x), w, b, steps, {1, 1}, {1, 1})), expected);
    }
    expect_close(from_blocks(convolutions(x, w, {}, {1, 1}, {2, 2}, {2, 2})),
                 at::conv2d(x, w, {}, 1, 2, 2));
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsInBf16RoundTheirInputsAlone) {
  if (!has_bf16_convolutions()) {
    GTEST_SKIP() << "a processor without AVX512-BF16";
  }
  BlockedConvolutions convolutions;
  convolutions.use_bf16();
  const at::Tensor x = at::randn({2, 48, 9, 12});
  const at::Tensor w = at::randn({32, 48, 3, 3}) * 0.05;
  const at::Tensor b = at::randn({32});
  const auto rounded = [](const at::Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); };
  ASSERT_TRUE(convolutions.takes(x, w, {1, 1}, {1, 1}, {1, 1}, 1));
  for (const at::Tensor& image : {x, to_blocks(x)}) {
    const at::Tensor result = convolutions(image, w, b, {1, 1}, {1, 1}, {1, 1});
    EXPECT_EQ(result.scalar_type(), at::kFloat);
    expect_close(from_blocks(result), at::conv2d(rounded(x), rounded(w), b, 1, 1));
  }
}

TEST_F(ChannelBlocksTest, ConvolutionsThatCannotBeHadAreRefused) {
  BlockedConvolutions convolutions;
  const auto takes = [&](const at::Tensor& x, const at::Tensor& w, std::int64_t groups) {
    return convolutions.takes(x, w, {1, 1}, {1, 1}, {1, 1}, groups);
  };
  const at::Tensor x = at::randn({1, 32, 8, 8});
  EXPECT_TRUE(takes(x, at::randn({16, 32, 3, 3}), 1));
  EXPECT_FALSE(takes(x, at::randn({12, 32, 3, 3}), 1));                       // channels out
  EXPECT_FALSE(takes(at::randn({1, 3, 8, 8}), at::randn({16, 3, 3, 3}), 1));  // and in
  EXPECT_FALSE(takes(x, at::randn({32, 16, 3, 3}), 2));
  EXPECT_FALSE(takes(x.to(at::kBFloat16), at::randn({16, 32, 3, 3}).to(at::kBFloat16), 1));
}

/// What the networks do with images, and what cpu_graph.h must see through: a list of skips,
/// branches on attributes, sums with a value for each channel, shapes, operators without blocks.
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
    n, c, height, width = x.shape
    for i in range(2):
        width = width * 1
    mixed = torch.softmax(x.reshape(n, c, height * width), -1).reshape(n, c, height, width)
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
  weight("odd", at::randn({5, 32, 3, 3}) * 0.1);
  module.register_attribute("joined", c10::BoolType::get(), true);
  module.define(everything);
  return module;
}

TEST_F(ChannelBlocksTest, ARewrittenNetworkGivesTheSame) {
  torch::jit::Module module = network_with_everything();
  const std::vector<c10::IValue> inputs = {at::randn({2, 16, 12, 10}), at::randn({2, 32})};
  const auto expected = module.forward(inputs).toTuple();
  optimise_for_cpu(module);
  const std::string graph = module.get_method("forward").graph()->toString();
  EXPECT_NE(graph.find("srdiff::conv2d_to_blocks"), std::string::npos) << graph;
  EXPECT_NE(graph.find("srdiff::cat_channels"), std::string::npos) << graph;
  OperatorState state;
  const OperatorScope scope(state);
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  for (int call = 0; call < 2; ++call) {
    const auto measured = module.forward(inputs).toTuple();
    for (std::size_t i = 0; i < 2; ++i) {
      expect_close(measured->elements()[i].toTensor(), expected->elements()[i].toTensor());
    }
  }
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
  const at::Tensor x = at::randn({1, 16, 6, 6});
  const at::Tensor expected = module.forward({x}).toTensor();
  optimise_for_cpu(module);
  OperatorState state;
  const OperatorScope scope(state);
  expect_close(module.forward({x}).toTensor(), expected);
}

}  // namespace
}  // namespace srdiff
