#include "evaluation/feature_network.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_features;
using support::message_of;
using support::TemporaryFolder;
using support::TestFeaturesOptions;

class FeaturesTest : public ::testing::Test {
 protected:
  FeatureNetwork load(const TestFeaturesOptions& options = {}) {
    return FeatureNetwork::load(make_test_features(folder_.path() / options.name, options));
  }

  FeatureManifest manifest(const std::string& patch) {
    TestFeaturesOptions options;
    options.manifest_patch = patch;
    return read_feature_manifest(make_test_features(folder_.path() / "features", options));
  }

  void expect_complaint(const TestFeaturesOptions& options, const std::string& part) {
    const std::string message = message_of<ModelError>([&] { load(options); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }

  void expect_complaint(const std::string& patch, const std::string& part) {
    TestFeaturesOptions options;
    options.manifest_patch = patch;
    expect_complaint(options, part);
  }

  TemporaryFolder folder_;
};

TEST_F(FeaturesTest, WhatTheNetworkSeesIsTheManifests) {
  const FeatureNetwork network =
      load({.manifest_patch = R"({"input": {"mean": [0, 0, 0.5], "std": [1, 0.5, 0.25]}})"});
  at::Tensor image = at::full({3, 4, 4}, -1.0);
  image[1].fill_(1.0);
  const at::Tensor seen = network.prepare(image);
  EXPECT_TRUE(at::allclose(seen[0], at::zeros({4, 4})));
  EXPECT_TRUE(at::allclose(seen[1], at::full({4, 4}, 2.0)));
  EXPECT_TRUE(at::allclose(seen[2], at::full({4, 4}, -2.0)));
}

TEST_F(FeaturesTest, ValuesAreRoundedAsInAFile) {
  const FeatureNetwork network = load();
  const at::Tensor image = at::linspace(-1.2, 1.2, 3 * 8 * 8).reshape({3, 8, 8});
  const at::Tensor in_file = image.add(1.0).mul(127.5).round().clamp(0, 255);
  EXPECT_TRUE(at::allclose(network.prepare(image), in_file / 127.5 - 1.0, 0.0, 1e-6));
}

TEST_F(FeaturesTest, BilinearDoesNotAntialias) {
  // 1x8 → 4 px: the plain kind takes the two nearest pixels' mean, whatever lies further out.
  at::Tensor row = at::tensor({1.0F, 1.0F, -1.0F, -1.0F, 1.0F, -1.0F, 1.0F, 1.0F});
  const at::Tensor image = row.expand({3, 8, 8}).contiguous();
  const auto seen = [&](const char* resize) {
    const std::string input = std::string(R"({"input": {"size": 4, "resize": ")") + resize + "\"}}";
    return load({.manifest_patch = input}).prepare(image)[0][1].contiguous();
  };
  EXPECT_TRUE(at::allclose(seen("bilinear"), at::tensor({1.0F, -1.0F, 0.0F, 1.0F}), 0.0, 1e-5));
  EXPECT_FALSE(
      at::allclose(seen("bilinear-antialias"), at::tensor({1.0F, -1.0F, 0.0F, 1.0F}), 0.0, 0.05));
  EXPECT_FALSE(at::allclose(seen("bilinear-antialias"), seen("bicubic-antialias"), 0.0, 0.01));
}

TEST_F(FeaturesTest, GivesOneRowAPicture) {
  const FeatureNetwork network = load();
  const at::Tensor batch =
      at::stack({network.prepare(at::zeros({3, 8, 8})), network.prepare(at::ones({3, 8, 8}))});
  const at::Tensor features = network(batch);
  ASSERT_EQ(features.sizes(), at::IntArrayRef({2, 16}));
  EXPECT_FALSE(at::allclose(features[0], features[1]));
}

TEST_F(FeaturesTest, FingerprintIsOfWeightsAndPreprocessing) {
  const std::string first = fingerprint(manifest("{}"));
  EXPECT_EQ(first, fingerprint(manifest(R"({"name": "another", "source": "elsewhere"})")));
  EXPECT_NE(first, fingerprint(manifest(R"({"input": {"mean": [0.5, 0.5, 0.4]}})")));
  EXPECT_NE(first, fingerprint(manifest(R"({"input": {"size": 8, "resize": "bilinear"}})")));
  TestFeaturesOptions other;
  other.gain = 2.0;
  const auto folder = make_test_features(folder_.path() / "other", other);
  EXPECT_NE(first, fingerprint(read_feature_manifest(folder)));
}

TEST_F(FeaturesTest, AWrongManifestIsNamed) {
  expect_complaint(R"({"dimensions": 17})", "promises [1, 17]");
  expect_complaint(R"({"dimensions": null})", "'dimensions'");
  expect_complaint(R"({"file": null})", "'file' is missing");
  expect_complaint(R"({"file": {"sha256": "00"}})", "features.pt: damaged");
  expect_complaint(R"({"file": {"path": "../features.pt"}})", "inside the model's folder");
  expect_complaint(R"({"input": {"resize": "lanczos"}})", "lanczos");
  expect_complaint(R"({"input": {"size": 8}})", "contradict");
  expect_complaint(R"({"input": {"resize": "bilinear"}})", "contradict");
  expect_complaint(R"({"input": {"std": [1, 0, 1]}})", "above 0");
  expect_complaint(R"({"input": {"mean": [1, 0]}})", "'mean'");
}

TEST_F(FeaturesTest, FeaturesThatAreNotFiniteAreRefused) {
  TestFeaturesOptions options;
  options.source = "def forward(self, x):\n    return x.mean([2, 3]) / 0.0\n";
  options.dimensions = 3;
  expect_complaint(options, "not finite");
}

TEST_F(FeaturesTest, AnUnknownNameSaysWhereItWasLookedFor) {
  const std::string message = message_of<ModelError>([] { find_features("nonesuch"); });
  EXPECT_NE(message.find("no feature network 'nonesuch' in "), std::string::npos) << message;
  EXPECT_NE(message.find("get_features.sh"), std::string::npos) << message;
}

}  // namespace
}  // namespace srdiff
