#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/prelu.h"
#include "engine/cpu/rewrite_graph.h"
#include "support/blocks_fixture.h"
#include "support/expect.h"
#include "support/occurrences.h"

namespace srdiff::cpu {
namespace {

using support::occurrences;

/// Networks as torch.jit.trace and the authors of public super-resolution networks write them.
class OtherNetworksTest : public support::BlocksFixture {
 protected:
  OtherNetworksTest() {
    for (const char* name : {"first", "second"}) {
      module_.register_parameter(name, at::randn({32, 32, 3, 3}) * 0.1, false);
    }
    module_.register_parameter("enlarging", at::randn({12, 32, 3, 3}) * 0.1, false);
    module_.register_parameter("slope", at::randn({32}), false);
    module_.register_parameter("up", at::randn({32, 32, 2, 2}) * 0.1, false);
  }

  /// The graph after it was rewritten; the image that the network gives is the same.
  std::string rewritten(const std::string& lines) {
    module_.define("def forward(self, x):\n" + lines);
    const std::vector<c10::IValue> inputs = {at::randn({2, 32, 9, 7})};
    const at::Tensor expected = module_.deepcopy().forward(inputs).toTensor();
    rewrite_graph(module_);
    support::expect_close(module_.forward(inputs).toTensor(), expected, 3e-5);
    return module_.get_method("forward").graph()->toString();
  }

  torch::jit::Module module_{"Other"};
};

TEST_F(OtherNetworksTest, ATracedConvolutionIsAConvolution) {
  const std::string graph = rewritten(
      "    h = torch._convolution(x, self.first, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1,"
      " False, False, True, True)\n"
      "    h = torch._convolution(h, self.second, self.slope, [1, 1], [2, 2], [2, 2], False, [0, "
      "0],"
      " 1, False, False, True, True)\n"
      "    return torch._convolution(h, self.up, None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1,"
      " False, False, True, True)\n");
  EXPECT_EQ(occurrences(graph, "srdiff::conv2d_to_blocks"), 2U) << graph;
  EXPECT_EQ(occurrences(graph, "aten::_convolution"), 1U) << graph;  // a transposed one stays
}

TEST_F(OtherNetworksTest, ActivationsInPlaceStayInBlocks) {
  const std::string graph = rewritten(
      "    h = torch.conv2d(x, self.first, None, [1, 1], [1, 1])\n"
      "    h = torch.conv2d(torch.leaky_relu_(h, 0.2), self.second, None, [1, 1], [1, 1])\n"
      "    h = torch.conv2d(torch.silu_(h), self.second, None, [1, 1], [1, 1])\n"
      "    h = torch.conv2d(torch.relu_(h), self.second, None, [1, 1], [1, 1])\n"
      "    return torch.prelu(h, self.slope)\n");
  EXPECT_EQ(occurrences(graph, "srdiff::plain"), 1U) << graph;  // of the result
  EXPECT_EQ(occurrences(graph, "_("), 0U) << graph;
}

TEST_F(OtherNetworksTest, AnImageThatOthersReadIsChangedForAll) {
  const std::string graph = rewritten(
      "    h = torch.conv2d(x, self.first, None, [1, 1], [1, 1])\n"
      "    r = torch.leaky_relu_(h, 0.2)\n"
      "    return torch.conv2d(r, self.second, None, [1, 1], [1, 1]) + h\n");
  EXPECT_EQ(occurrences(graph, "aten::leaky_relu_("), 1U) << graph;
}

TEST_F(OtherNetworksTest, AttentionWithoutParametersStaysInBlocks) {
  // As SPAN has it: the sum of a block's input and output, times the sigmoid of the output.
  const std::string graph = rewritten(
      "    h = torch.conv2d(x, self.first, None, [1, 1], [1, 1])\n"
      "    y = torch.conv2d(torch.silu_(torch.conv2d(h, self.second, None, [1, 1], [1, 1])),"
      " self.second, None, [1, 1], [1, 1])\n"
      "    y = (y + h) * (torch.sigmoid(y) - 0.5)\n"
      "    return y * 0.2 + h\n");
  EXPECT_EQ(occurrences(graph, "srdiff::mul"), 1U) << graph;
  EXPECT_EQ(occurrences(graph, "srdiff::plain"), 1U) << graph;
}

TEST_F(OtherNetworksTest, SumsInPlaceBehindAShuffleAreNew) {
  const std::string graph = rewritten(
      "    h = torch.conv2d(x, self.first, None, [1, 1], [1, 1])\n"
      "    y = torch.pixel_shuffle(torch.conv2d(h, self.enlarging, None, [1, 1], [1, 1]), 2)\n"
      "    y += torch.upsample_nearest2d(x[:, 0:3], None, [2., 2.])\n"
      "    return y\n");
  EXPECT_EQ(occurrences(graph, "srdiff::conv2d_to_blocks"), 2U) << graph;
}

TEST_F(OtherNetworksTest, AProductWithAValueForEachChannelOrPixel) {
  rewritten(
      "    h = torch.conv2d(x, self.first, None, [1, 1], [1, 1])\n"
      "    h = h * torch.mean(h, [2, 3], True)\n"
      "    h = h * torch.mean(h, [1], True)\n"
      "    return h * x\n");
}

TEST_F(OtherNetworksTest, SplitChannelsStayInBlocks) {
  // As IMDN has it; the second split is not of whole blocks.
  const std::string graph = rewritten(
      "    h = torch.leaky_relu(torch.conv2d(x, self.first, None, [1, 1], [1, 1]), 0.05)\n"
      "    a, b = torch.split(h, [16, 16], 1)\n"
      "    c, d = torch.split(torch.cat([b, a], 1), [5, 27], 1)\n"
      "    return torch.cat([c, torch.conv2d(torch.cat([d, c], 1), self.second, None, [1, 1],"
      " [1, 1])], 1)\n");
  EXPECT_EQ(occurrences(graph, "srdiff::channels"), 4U) << graph;
  EXPECT_EQ(occurrences(graph, "srdiff::cat_channels"), 3U) << graph;
}

TEST_F(OtherNetworksTest, ChannelsAreThoseOfPlainImages) {
  const at::Tensor x = at::randn({2, 64, 5, 7});
  for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{16, 32}, {3, 20}}) {
    const at::Tensor expected = x.narrow(1, first, count);
    EXPECT_TRUE(at::equal(take_channels(x, first, count), expected));
    EXPECT_TRUE(at::equal(from_blocks(take_channels(to_blocks(x), first, count)), expected));
    EXPECT_TRUE(at::equal(from_blocks(take_channels(to_blocks(x, 64), first, count)), expected));
  }
  EXPECT_TRUE(in_blocks(take_channels(to_blocks(x), 16, 32)));
  EXPECT_THROW(take_channels(to_blocks(x), 48, 32), c10::Error);
}

TEST_F(OtherNetworksTest, PreluIsThatOfPlainImages) {
  const at::Tensor x = at::randn({2, 48, 5, 7});
  for (const at::Tensor& weight : {at::randn({48}), at::randn({1})}) {
    const at::Tensor expected = at::prelu(x, weight);
    EXPECT_TRUE(at::equal(prelu_in_any_layout(x, weight), expected));
    EXPECT_TRUE(at::equal(from_blocks(prelu_in_any_layout(to_blocks(x), weight)), expected));
    EXPECT_TRUE(at::equal(from_blocks(prelu_in_any_layout(to_blocks(x, 48), weight)), expected));
  }
  EXPECT_THROW(prelu_in_any_layout(to_blocks(x), at::randn({5})), c10::Error);
}

}  // namespace
}  // namespace srdiff::cpu
