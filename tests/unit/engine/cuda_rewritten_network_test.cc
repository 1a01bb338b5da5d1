#include "engine/cuda/rewritten_network.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/cuda/device_state.h"
#include "engine/cuda/noise_level_encodings.h"
#include "engine/cuda/rewrite_upsample_convolution.h"
#include "support/temporary_folder.h"

namespace srdiff::cuda {
namespace {

/// How a test's denoiser is written.
struct Style {
  const char* name;
  /// What its methods' names begin with: without, they are those of docs/MODELS.md.
  std::string prefix = {};
  bool scaled = true;
  /// Whether the body does something to its images that no kernel knows.
  bool doubles = false;
};

/// A U-Net of two levels with all that the denoisers are made of.
class SmallNetwork {
 public:
  explicit SmallNetwork(Style style = {"by its methods"})
      : style_(std::move(style)), module_("SmallNetwork") {
    module_.register_buffer("calls", at::zeros({1}));
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

  std::string source() const {
    return "def " + style_.prefix +
           R"(encode_noise_level(self, noise_level) -> Tuple[Tensor, Tensor]:
    self.calls.add_(1)
    e = noise_level.to(self.first_weight.dtype).unsqueeze(1).expand(-1, 8)
)" +
           (style_.scaled ? R"(    a = noise_level.float().clamp(0.2)
    return e, torch.stack([a, (a * a + 1.0).rsqrt(), a / (a + 1.0), a.sqrt()])
)"
                          : "    return e, noise_level.new_zeros([0, noise_level.size(0)])\n") +
           ends() + body() + R"(
def forward(self, condition, x_t, noise_level):
    encoded = self.)" +
           style_.prefix + R"(encode_noise_level(noise_level)
    x = self.)" +
           style_.prefix + R"(prepare_input(condition, x_t, encoded[1])
    x = self.)" +
           style_.prefix + R"(body(x, encoded[0])
    return self.)" +
           style_.prefix + "finish_output(x, condition, x_t, encoded[1])\n";
  }

  std::string ends() const {
    const std::string input =
        "def " + style_.prefix + "prepare_input(self, condition, x_t, scales):\n";
    const std::string output =
        "def " + style_.prefix + "finish_output(self, found, condition, x_t, scales):\n";
    if (!style_.scaled) {
      return input + "    return torch.cat([condition, x_t], 1)\n" + output + "    return found\n";
    }
    const std::string residual = R"(    base = condition.float()
    residual = x_t.float() / scales[0].reshape([-1, 1, 1, 1]) - base
)";
    return input + residual +
           "    return torch.cat([base, scales[1].reshape([-1, 1, 1, 1]) * residual], 1)\n" +
           output + residual +
           "    base = base + scales[2].reshape([-1, 1, 1, 1]) * residual\n"
           "    return base + scales[3].reshape([-1, 1, 1, 1]) * found\n";
  }

  std::string body() const {
    return "def " + style_.prefix + "body(self, x, e):\n" +
           (style_.doubles ? "    x = 2.0 * x\n" : "") +
           R"(    x = torch.pixel_unshuffle(x, 2).to(self.first_weight.dtype)
    first = )" +
           conv("first", "x", 1, 1) + "\n    x = " + conv("halve", "first", 2, 1) + "\n" +
           block("left", false) + attention() + block("right", false) +
           "    x = torch.upsample_nearest2d(x, None, [2.0, 2.0])\n    x = " +
           conv("enlarged", "x", 1, 1) + "\n    x = torch.cat([x, first], 1)\n" +
           block("last", true) +
           "    x = " + conv("out", "torch.silu(" + normed("out_norm", "x") + ")", 1, 1) +
           "\n    return torch.pixel_shuffle(x.float(), 2)" + (style_.doubles ? " + 1.0\n" : "\n");
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

  Style style_;
  torch::jit::Module module_;
};

/// Nodes of a kind in the rewritten graph.
std::size_t count(const RewrittenNetwork& network, const std::string& kind) {
  std::size_t found = 0;
  for (const auto* node : network.graph().block()->nodes()) {
    found += node->kind() == c10::Symbol::fromQualString(kind) ? 1 : 0;
  }
  return found;
}

std::vector<at::Tensor> inputs(c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device);
  const auto image = [&] { return at::randn({3, 3, 40, 24}, options); };
  return {image(), image(), at::rand({3}, options)};
}

at::Tensor run(torch::jit::Module module, const std::vector<at::Tensor>& inputs) {
  const c10::InferenceMode no_gradients;
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  return module.forward({inputs.begin(), inputs.end()}).toTensor();
}

at::Tensor run(RewrittenNetwork& network, const std::vector<at::Tensor>& inputs) {
  const c10::InferenceMode no_gradients;
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  return network(inputs);
}

double relative_error(const at::Tensor& measured, const at::Tensor& expected) {
  return ((measured - expected).norm() / expected.norm()).item<double>();
}

const std::vector<Style>& styles() {
  static const std::vector<Style> all = {{"by its methods"},
                                         {"without preconditioning", "", /*scaled=*/false},
                                         {"without methods", "own_"},
                                         {"neither", "own_", /*scaled=*/false},
                                         {"other ends", "", /*scaled=*/true, /*doubles=*/true},
                                         {"other ends, plain", "", false, /*doubles=*/true}};
  return all;
}

TEST(Fusion, NetworkIsThatOfLibTorch) {
  for (const Style& style : styles()) {
    SCOPED_TRACE(style.name);
    const SmallNetwork network(style);
    const auto given = inputs(c10::kCPU);
    const at::Tensor expected = run(network.module(), given);
    RewrittenNetwork fused(network.module().clone(), c10::kCPU, c10::kFloat);
    EXPECT_LT(relative_error(run(fused, given), expected), 1e-5);
    const auto& graph = fused.graph();
    EXPECT_EQ(count(fused, "srdiff::sum_norm"), 8U) << graph;
    EXPECT_EQ(count(fused, "srdiff::sum_upsampled"), 1U) << graph;
    EXPECT_EQ(count(fused, "srdiff::attention_of_parts"), 1U) << graph;
    EXPECT_EQ(count(fused, "aten::linear"), 1U) << graph;
    EXPECT_EQ(count(fused, "aten::conv_transpose2d"), 1U) << graph;
    for (const char* gone :
         {"aten::group_norm", "aten::silu", "aten::bmm", "aten::softmax",
          "aten::upsample_nearest2d", "srdiff::upsample_nearest", "aten::pixel_unshuffle"}) {
      EXPECT_EQ(count(fused, gone), 0U) << gone << graph;
    }
    EXPECT_EQ(count(fused, "srdiff::input_patches"), 1U) << graph;
    EXPECT_EQ(count(fused, "srdiff::output_image"), 1U) << graph;
    // What is left of the ends is LibTorch's where a file has no methods, and where its body does
    // more than the kernels know.
    const bool by_methods = style.prefix.empty();
    EXPECT_EQ(count(fused, "aten::cat"), by_methods ? 0U : 1U) << graph;
    EXPECT_EQ(count(fused, "aten::pixel_shuffle"), 0U) << graph;
    const std::size_t apart = by_methods && style.doubles ? 1U : 0U;
    EXPECT_EQ(count(fused, "srdiff::denoiser_input"), apart) << graph;
    EXPECT_EQ(count(fused, "srdiff::denoiser_output"), apart) << graph;
  }
}

/// The exit status of a script of scripts/training's Python; 77 where that has no torch.
int run_python(const std::string& script) {
  const auto modules = std::filesystem::path(__FILE__).parent_path() / "../../../scripts/training";
  const std::string start =
      "import sys\ntry:\n    import torch\nexcept ImportError:\n"
      "    sys.exit(77)\nsys.path.insert(0, '" +
      modules.string() + "')\n";
  const int status =
      std::system((SRDIFF_TEST_PYTHON " -B -c \"" + start + script + "\" 2>/dev/null").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Fusion, AnExportedDenoiserIsCalledByItsMethods) {
  const support::TemporaryFolder folder;
  const std::string path = (folder.path() / "denoiser").string();
  const int status = run_python(R"(
from networks import build
from flatten import flattened
torch.manual_seed(0)
for i, ends in enumerate((dict(grid=2, residual_std=0.1), dict(grid=2), dict())):
    network = build('denoiser', dict(ends, inner=16, widths=[16, 32], res_blocks=1, norm_groups=4))
    for value in network.eval().requires_grad_(False).parameters():
        torch.nn.init.normal_(value, std=0.1)
    flattened(network).save(')" +
                                path + "%d.pt' % i)\n");
  if (status == 77) {
    GTEST_SKIP() << "no torch for " SRDIFF_TEST_PYTHON;
  }
  ASSERT_EQ(status, 0);
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const torch::jit::Module module = torch::jit::load(path + std::to_string(i) + ".pt");
    const auto given = inputs(c10::kCPU);
    const at::Tensor expected = run(module, given);
    RewrittenNetwork fused(module, c10::kCPU, c10::kFloat);
    EXPECT_LT(relative_error(run(fused, given), expected), 1e-5);
    const auto& graph = fused.graph();
    for (const char* once : {"srdiff::input_patches", "srdiff::output_image", "aten::linear"}) {
      EXPECT_EQ(count(fused, once), 1U) << once << graph;
    }
    for (const char* gone :
         {"srdiff::denoiser_input", "srdiff::denoiser_output", "aten::log", "aten::sin",
          "aten::pixel_shuffle", "aten::group_norm", "aten::silu"}) {
      EXPECT_EQ(count(fused, gone), 0U) << gone << graph;
    }
  }
}

TEST(Fusion, MethodsWithOtherArgumentsAreNotCalled) {
  torch::jit::Module module = SmallNetwork({"without methods", "own_"}).module();
  module.define(R"(
def encode_noise_level(self, noise_level):
    return noise_level
def prepare_input(self, condition, x_t, scales):
    return x_t
def body(self, x, embedding):
    return x
def finish_output(self, found):
    return found
)");
  const auto given = inputs(c10::kCPU);
  const at::Tensor expected = run(module, given);
  RewrittenNetwork fused(module.clone(), c10::kCPU, c10::kFloat);
  EXPECT_LT(relative_error(run(fused, given), expected), 1e-5);
}

TEST(Fusion, NoiseLevelIsEncodedOnce) {
  const torch::jit::Module module = SmallNetwork().module();
  const at::Tensor calls = module.attr("calls").toTensor();
  NoiseLevelEncodings encodings(module, c10::kCPU);
  const auto expect = [&](const at::Tensor& levels, int encoded) {
    SCOPED_TRACE(::testing::Message() << levels);
    const auto before = calls.item<float>();
    const NoiseLevelEncoding found = encodings(levels);
    EXPECT_EQ(calls.item<float>() - before, encoded);
    const auto own = module.get_method("encode_noise_level")({levels}).toTuple();
    EXPECT_TRUE(at::equal(found.embedding, own->elements()[0].toTensor()));
    EXPECT_TRUE(at::equal(found.scales, own->elements()[1].toTensor()));
  };
  expect(at::tensor({0.5F, 0.5F, 0.5F}), 1);
  expect(at::tensor({0.5F}), 0);
  expect(at::tensor({0.9F, 0.9F}), 1);
  expect(at::tensor({0.5F, 0.5F, 0.5F, 0.5F}), 0);
  expect(at::tensor({0.9F, 0.5F}), 1);  // of several levels each time
  expect(at::tensor({0.9F, 0.5F}), 1);
}

TEST(Fusion, EachLevelHasItsOwnResult) {
  const SmallNetwork network;
  RewrittenNetwork fused(network.module().clone(), c10::kCPU, c10::kFloat);
  for (const float level : {0.9F, 0.3F, 0.9F}) {
    auto given = inputs(c10::kCPU);
    given[2] = at::full({3}, level);
    EXPECT_LT(relative_error(run(fused, given), run(network.module(), given)), 1e-5) << level;
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
  for (const Style& style : styles()) {
    for (const c10::ScalarType type : {c10::kFloat, c10::kHalf, c10::kBFloat16}) {
      SCOPED_TRACE(::testing::Message() << style.name << ", " << c10::toString(type));
      const SmallNetwork network(style);
      use_exact_arithmetic();
      auto given = inputs(c10::kCUDA);
      given[2] = at::full({3}, 0.7F);  // on the CPU, as of a model's steps
      torch::jit::Module eager = network.module().clone();
      eager.to(c10::Device(c10::kCUDA));
      torch::jit::Module exact = eager.clone();
      exact.to(at::kDouble);
      RewrittenNetwork fused(eager.clone(), c10::Device(c10::kCUDA), type);
      eager.to(type);
      std::vector<at::Tensor> on_device = given;
      on_device[2] = given[2].cuda();
      const at::Tensor expected = run(exact, on_device);
      const double own = relative_error(run(eager, on_device), expected);
      for (int call = 0; call < 4; ++call) {  // the third is recorded
        const double error = relative_error(run(fused, given), expected);
        EXPECT_LT(error, 1.1 * own + 1e-6) << call;
        EXPECT_LT(error, type == c10::kFloat ? 1e-5 : 0.1) << call;
      }
    }
  }
}

}  // namespace
}  // namespace srdiff::cuda
