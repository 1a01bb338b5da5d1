#include "evaluation/lpips.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "evaluation/evaluator.h"
#include "evaluation/feature_network.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_lpips;
using support::message_of;
using support::TemporaryFolder;
using support::TestLpipsOptions;

at::Tensor noise(int index, std::int64_t height, std::int64_t width) {
  at::manual_seed(static_cast<std::uint64_t>(index));
  return at::rand({3, height, width}).mul(2.0).sub(1.0);
}

class LpipsTest : public ::testing::Test {
 protected:
  LpipsNetwork load(const TestLpipsOptions& options = {}) {
    return LpipsNetwork::load(make_test_lpips(folder_.path() / options.name, options));
  }

  std::shared_ptr<const LpipsNetwork> shared() {
    return std::make_shared<const LpipsNetwork>(load());
  }

  static void expect_words(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }

  void expect_complaint(const TestLpipsOptions& options, const std::string& part) {
    expect_words(message_of<ModelError>([&] { load(options); }), part);
  }

  void expect_complaint_about(const std::string& body, const std::string& part) {
    TestLpipsOptions options;
    options.source = "def forward(self, a, b):\n    return " + body + "\n";
    expect_complaint(options, part);
  }

  TemporaryFolder folder_;
};

// The network of the tests is written in C++ here: of each pair its own distance.
TEST_F(LpipsTest, GivesTheNetworksDistances) {
  const LpipsNetwork network = load();
  const at::Tensor kernels = at::arange(4 * 3 * 9, at::kFloat)
                                 .mul(1.7)
                                 .add(0.3)
                                 .sin()
                                 .div(std::sqrt(27.0))
                                 .reshape({4, 3, 3, 3});
  const at::Tensor a = at::stack({noise(1, 9, 14), noise(2, 9, 14)});
  const at::Tensor b = at::stack({noise(3, 9, 14), noise(2, 9, 14)});
  const at::Tensor found = network(a, b);
  ASSERT_EQ(found.sizes(), at::IntArrayRef({2}));
  const at::Tensor expected =
      (at::conv2d(a, kernels) - at::conv2d(b, kernels)).square().mean({1, 2, 3});
  EXPECT_NEAR(found[0].item<double>(), expected[0].item<double>(), 1e-5);
  EXPECT_GT(found[0].item<double>(), 0.1);
  EXPECT_EQ(found[1].item<double>(), 0.0);
  EXPECT_NEAR(network(a, b).sum().item<double>(), network(b, a).sum().item<double>(), 1e-6);
}

TEST_F(LpipsTest, PicturesThatDoNotFitAreRefused) {
  const LpipsNetwork network = load();
  const auto refusal = [&](const at::Tensor& a, const at::Tensor& b) {
    return message_of<UsageError>([&] { network(a.unsqueeze(0), b.unsqueeze(0)); });
  };
  expect_words(refusal(noise(1, 7, 20), noise(2, 7, 20)),
               "a picture of 20x7 pixels is too small for LPIPS (tiny-lpips); give "
               "sides of 8 pixels or more");
  expect_words(refusal(noise(1, 9, 20), noise(2, 20, 9)),
               "pictures of 20x9 and 9x20 pixels have no LPIPS");
  EXPECT_NO_THROW(network(at::stack({noise(1, 8, 8)}), at::stack({noise(2, 8, 8)})));
}

TEST_F(LpipsTest, AnotherNetworkIsRefused) {
  expect_complaint_about("(a - b).pow(2).mean(1)",
                         "the network gave [2, 8, 8] where LPIPS has [2]");
  expect_complaint_about("(a - b).pow(2).mean()", "the network gave [] where LPIPS has [2]");
  expect_complaint_about("(a - b).pow(2).mean([1, 2, 3]) / 0.0", "a distance that is not finite");
  expect_complaint_about("(a + b).pow(2).mean([1, 2, 3])", "a picture's distance to itself is ");
  expect_complaint_about("torch.conv2d(a, b[:, :2]).mean([1, 2, 3])",
                         "lpips.pt: the network failed");
  expect_complaint({.source = "def forward(self, a):\n    return a.mean([1, 2, 3])\n"},
                   "lpips.pt: the network failed");
}

TEST_F(LpipsTest, AWrongManifestIsNamed) {
  const auto patched = [](const char* patch) {
    TestLpipsOptions options;
    options.manifest_patch = patch;
    return options;
  };
  expect_complaint(patched(R"({"min_side": 0})"), "'min_side' is 0");
  expect_complaint(patched(R"({"file": null})"), "'file' is missing");
  expect_complaint(patched(R"({"file": {"sha256": "00"}})"), "lpips.pt: damaged");
  expect_complaint(patched(R"({"kind": "fid"})"), "manifest.json: is not an LPIPS network's");
  expect_complaint(patched(R"({"kind": null})"), "manifest.json: ");
}

TEST_F(LpipsTest, FoldersOfOtherKindsAreRefused) {
  const auto features = support::make_test_features(folder_.path() / "features");
  expect_words(message_of<ModelError>([&] { LpipsNetwork::load(features); }),
               "is not an LPIPS network's; scripts/export_lpips.py makes one");
  const auto lpips = make_test_lpips(folder_.path() / "lpips");
  expect_words(message_of<ModelError>([&] { FeatureNetwork::load(lpips); }),
               "is not a feature network's but of the kind 'lpips'");
  expect_words(message_of<ModelError>([] { find_lpips("nonesuch"); }),
               "; make it by scripts/export_lpips.py, or name a folder");
}

TEST_F(LpipsTest, FingerprintIsOfTheWeights) {
  const std::string first = fingerprint(load().manifest());
  EXPECT_EQ(first, fingerprint(load({.name = "another"}).manifest()));
  EXPECT_NE(first, fingerprint(load({.name = "stronger", .gain = 2.0}).manifest()));
}

TEST_F(LpipsTest, FiguresAreMeansOverPictures) {
  EvaluationOptions options;
  options.metrics = {Metric::lpips};
  EXPECT_THROW(Evaluator(options, nullptr), UsageError);
  options.lpips = shared();
  Evaluator evaluator(options, nullptr);
  at::Tensor values = at::empty({3}, at::kDouble);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor a = noise(i, 10 + i, 12);
    const at::Tensor b = noise(10 + i, 10 + i, 12);
    const ImageFigures figures = evaluator.compare(std::to_string(i), a, b, {});
    ASSERT_EQ(figures.values.size(), 1U);
    values[i] = (*options.lpips)(a.unsqueeze(0), b.unsqueeze(0))[0];
    EXPECT_DOUBLE_EQ(figures.values[0].second, values[i].item<double>());
  }
  const Figure figure = evaluator.result().figures.at(0);
  EXPECT_EQ(figure.key, "lpips");
  EXPECT_EQ(figure.name, "LPIPS (tiny-lpips)");
  EXPECT_EQ(figure.better, Better::lower);
  EXPECT_NEAR(figure.value, values.mean().item<double>(), 1e-12);
  EXPECT_NEAR(figure.spread.value_or(-1.0), values.std(0, false).item<double>(), 1e-12);
}

}  // namespace
}  // namespace srdiff
