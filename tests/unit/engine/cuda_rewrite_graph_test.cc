#include "engine/cuda/rewrite_graph.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "engine/cuda/device_state.h"
#include "engine/cuda/rewrite_upsample_convolution.h"

namespace srdiff::cuda {
namespace {

/// A U-Net of two levels with all that the denoisers are made of, as one function.
class SmallNetwork {
 public:
  SmallNetwork() : module_("SmallNetwork") {
    convolution("first", 16, 24, 3);
    convolution("halve", 16, 16, 3);
    residual("left", 16, 16);
    norm("attention_norm", 16);
    convolution("qkv", 48, 16, 1);
    convolution("attended", 16, 16, 1);
    residual("right", 16, 16);
    convolution("enlarged", 16, 16, 3);
    residual("last", 32, 16);
    norm("out_norm", 16);
    convolution("out", 12, 16, 3);
    module_.define(source());
  }

  torch::jit::Module module() const { return module_; }

 private:
  void parameter(const std::string& name, const at::Tensor& value) {
    module_.register_parameter(name, value, false);
  }

  void convolution(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t side) {
    parameter(name + "_weight", at::randn({out, in, side, side}) / std::sqrt(in * side * side));
    parameter(name + "_bias", at::randn({out}));
  }

  void norm(const std::string& name, std::int64_t channels) {
    parameter(name + "_weight", at::randn({channels}));
    parameter(name + "_bias", at::randn({channels}));
  }

  void residual(const std::string& name, std::int64_t in, std::int64_t out) {
    norm(name + "_norm1", in);
    convolution(name + "_conv1", out, in, 3);
    parameter(name + "_noise_weight", at::randn({out, 8}));
    parameter(name + "_noise_bias", at::randn({out}));
    norm(name + "_norm2", out);
    convolution(name + "_conv2", out, out, 3);
    if (in != out) {
      convolution(name + "_res", out, in, 1);
    }
  }

  static std::string conv(const std::string& name, const std::string& x, int stride, int padding) {
    const auto pair = [](int n) {
      return "[" + std::to_string(n) + ", " + std::to_string(n) + "]";
    };
    return "torch.conv2d(" + x + ", self." + name + "_weight, self." + name + "_bias, " +
           pair(stride) + ", " + pair(padding) + ", [1, 1], 1)";
  }

  static std::string normed(const std::string& name, const std::string& x) {
    return "torch.group_norm(" + x + ", 8, self." + name + "_weight, self." + name + "_bias, 1e-5)";
  }

  static std::string block(const std::string& name, bool res) {
    return "    h = " +
           conv(name + "_conv1", "torch.silu(" + normed(name + "_norm1", "x") + ")", 1, 1) +
           "\n    n = torch.linear(e, self." + name + "_noise_weight, self." + name +
           "_noise_bias)\n    h = h + n.unsqueeze(-1).unsqueeze(-1)\n    h = " +
           conv(name + "_conv2", "torch.silu(" + normed(name + "_norm2", "h") + ")", 1, 1) +
           "\n    x = h + " + (res ? conv(name + "_res", "x", 1, 0) : "x") + "\n";
  }

  static std::string source() {
    return R"(def forward(self, condition, x_t, noise_level):
    a = noise_level.float().reshape([-1, 1, 1, 1]).clamp(0.2)
    base = condition.float()
    residual = x_t.float() / a - base
    x = torch.cat([base, (a * a + 1.0).rsqrt() * residual], 1)
    x = torch.pixel_unshuffle(x, 2).to(self.first_weight.dtype)
    e = noise_level.to(self.first_weight.dtype).unsqueeze(1).expand(-1, 8)
    first = )" +
           conv("first", "x", 1, 1) + "\n    x = " + conv("halve", "first", 2, 1) + "\n" +
           block("left", false) + attention() + block("right", false) +
           "    x = torch.upsample_nearest2d(x, None, [2.0, 2.0])\n    x = " +
           conv("enlarged", "x", 1, 1) + "\n    x = torch.cat([x, first], 1)\n" +
           block("last", true) +
           "    x = " + conv("out", "torch.silu(" + normed("out_norm", "x") + ")", 1, 1) + R"(
    x = torch.pixel_shuffle(x.float(), 2)
    return base + a / (a + 1.0) * residual + a.sqrt() * x
)";
  }

  static std::string attention() {
    return R"(    n = x.size(0)
    c = x.size(1)
    height = x.size(2)
    width = x.size(3)
    parts = )" +
           conv("qkv", normed("attention_norm", "x"), 1, 0) +
           R"(.reshape([n * 2, 24, height * width]).chunk(3, 1)
    q = parts[0]
    k = parts[1]
    v = parts[2]
    w = torch.softmax(torch.bmm(q.transpose(1, 2), k) / 2.8, -1)
    y = torch.bmm(v, w.to(v.dtype).transpose(1, 2)).reshape([n, c, height, width])
    x = )" +
           conv("attended", "y", 1, 0) + " + x\n";
  }

  torch::jit::Module module_;
};

/// Nodes of a kind in the rewritten graph.
std::size_t count(const torch::jit::Module& module, const std::string& kind) {
  std::size_t found = 0;
  for (const auto* node : module.get_method("forward").graph()->block()->nodes()) {
    found += node->kind() == c10::Symbol::fromQualString(kind) ? 1 : 0;
  }
  return found;
}

std::vector<c10::IValue> inputs(c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device);
  const auto image = [&] { return at::randn({3, 3, 40, 24}, options); };
  return {image(), image(), at::rand({3}, options)};
}

at::Tensor run(torch::jit::Module module, std::vector<c10::IValue> inputs) {
  const c10::InferenceMode no_gradients;
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  return module.forward(std::move(inputs)).toTensor();
}

double relative_error(const at::Tensor& measured, const at::Tensor& expected) {
  return ((measured - expected).norm() / expected.norm()).item<double>();
}

TEST(Fusion, NetworkIsThatOfLibTorch) {
  const SmallNetwork network;
  torch::jit::Module fused = network.module().clone();
  const auto given = inputs(c10::kCPU);
  const at::Tensor expected = run(network.module(), given);
  EXPECT_TRUE(rewrite_graph(fused, c10::kFloat));
  EXPECT_LT(relative_error(run(fused, given), expected), 1e-5);
  const auto& graph = *fused.get_method("forward").graph();
  EXPECT_EQ(count(fused, "srdiff::sum_norm"), 8U) << graph;
  EXPECT_EQ(count(fused, "srdiff::sum_upsampled"), 1U) << graph;
  EXPECT_EQ(count(fused, "srdiff::attention_of_parts"), 1U) << graph;
  EXPECT_EQ(count(fused, "aten::linear"), 1U) << graph;
  EXPECT_EQ(count(fused, "aten::conv_transpose2d"), 1U) << graph;
  for (const char* gone :
       {"aten::group_norm", "aten::silu", "aten::bmm", "aten::softmax", "aten::upsample_nearest2d",
        "srdiff::upsample_nearest", "aten::cat", "aten::pixel_unshuffle", "aten::pixel_shuffle"}) {
    EXPECT_EQ(count(fused, gone), 0U) << gone << graph;
  }
  for (const char* once : {"srdiff::input_patches", "srdiff::output_image"}) {
    EXPECT_EQ(count(fused, once), 1U) << once << graph;
  }
}

TEST(Fusion, EnlargingConvolutionIsOneOfAnEnlargedImage) {
  const at::Tensor x = at::randn({2, 5, 4, 7});
  const at::Tensor weight = at::randn({3, 5, 3, 3});
  const at::Tensor expected = at::conv2d(at::upsample_nearest2d(x, {8, 14}), weight, {}, 1, 1);
  const at::Tensor result = at::conv_transpose2d(x, transposed_upsample_weight(weight), {}, 2, 1);
  EXPECT_LT(relative_error(result, expected), 1e-6);
}

TEST(Cuda, NetworkIsThatOfLibTorch) {
  if (!torch::cuda::is_available()) {
    GTEST_SKIP() << "no CUDA device";
  }
  const SmallNetwork network;
  for (const c10::ScalarType type : {c10::kFloat, c10::kHalf, c10::kBFloat16}) {
    set_cuda_policy(type);
    const auto given = inputs(c10::kCUDA);
    torch::jit::Module exact = network.module().clone();
    exact.to(c10::Device(c10::kCUDA));
    exact.to(at::kDouble);
    torch::jit::Module eager = network.module().clone();
    eager.to(c10::Device(c10::kCUDA));
    torch::jit::Module fused = eager.clone();
    eager.to(type);
    rewrite_graph(fused, type);
    fused.to(type);
    for (at::Tensor weight : fused.parameters()) {
      if (weight.dim() == 4) {
        weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
      }
    }
    const at::Tensor expected = run(exact, given);
    const double error = relative_error(run(fused, given), expected);
    EXPECT_LT(error, 1.1 * relative_error(run(eager, given), expected) + 1e-6) << type;
    EXPECT_LT(error, type == c10::kFloat ? 1e-5 : 0.1) << type;
  }
}

}  // namespace
}  // namespace srdiff::cuda
