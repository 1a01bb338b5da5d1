#include "evaluation/feature_set.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "evaluation/kernel_distance.h"
#include "evaluation/npz.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_features;
using support::TemporaryFolder;

std::vector<at::Tensor> random_pictures(int count, std::int64_t side = 8) {
  at::manual_seed(1);
  std::vector<at::Tensor> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(at::rand({3, side, side}).mul(1.6).sub(0.8 + 0.001 * i));
  }
  return result;
}

FeatureSet collect(const FeatureNetwork& network, const std::vector<at::Tensor>& images,
                   std::int64_t sample_size = 0) {
  FeatureCollector collector(network, sample_size);
  for (const at::Tensor& image : images) {
    collector.add(image);
  }
  return collector.result();
}

class FeatureSetTest : public ::testing::Test {
 protected:
  FeatureNetwork network(const support::TestFeaturesOptions& options = {}) {
    return FeatureNetwork::load(make_test_features(folder_.path() / options.name, options));
  }
  std::filesystem::path file() const { return folder_.path() / "reference.npz"; }

  void expect_refused(const FeatureManifest& manifest, const std::string& images,
                      const std::string& part) {
    const std::string message =
        support::message_of<InputError>([&] { read_statistics(file(), manifest, images); });
    EXPECT_EQ(message.rfind(file().string() + ": ", 0), 0U) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  TemporaryFolder folder_;
};

TEST_F(FeatureSetTest, OrderAndSizesDoNotMatter) {
  const FeatureNetwork tiny = network();
  std::vector<at::Tensor> images = random_pictures(20);
  const std::vector<at::Tensor> larger = random_pictures(17, 12);
  images.insert(images.end(), larger.begin(), larger.end());
  const FeatureSet forwards = collect(tiny, images);
  std::reverse(images.begin(), images.end());
  std::swap(images[3], images[30]);
  const FeatureSet other = collect(tiny, images);
  EXPECT_EQ(forwards.gaussian.count, 37);
  const double size = forwards.gaussian.covariance().norm().item<double>();
  EXPECT_LT((forwards.gaussian.covariance() - other.gaussian.covariance()).norm().item<double>(),
            1e-6 * size);
}

TEST_F(FeatureSetTest, TheSampleIsBoundedAndDoesNotDependOnBatches) {
  const FeatureNetwork tiny = network();
  const std::vector<at::Tensor> images = random_pictures(40);
  const FeatureSet all = collect(tiny, images, 100);
  ASSERT_EQ(all.sample.sizes(), at::IntArrayRef({40, 16}));
  const FeatureSet few = collect(tiny, images, 10);
  ASSERT_EQ(few.sample.sizes(), at::IntArrayRef({10, 16}));
  for (std::int64_t i = 0; i < 10; ++i) {
    EXPECT_TRUE((all.sample - few.sample[i]).abs().amax(1).min().item<double>() < 1e-6) << i;
  }
  EXPECT_FALSE(at::allclose(few.sample, all.sample.narrow(0, 0, 10))) << "only the first";
  EXPECT_FALSE(collect(tiny, images).sample.defined());
}

TEST_F(FeatureSetTest, StatisticsComeBackFromAFile) {
  const FeatureNetwork tiny = network();
  const FeatureSet set = collect(tiny, random_pictures(30));
  write_statistics(file(), set, "thirty pictures");
  const FeatureSet read = read_statistics(file(), tiny.manifest(), "thirty pictures");
  EXPECT_EQ(read.gaussian.count, 30);
  EXPECT_NEAR(frechet_distance(set.gaussian, read.gaussian), 0.0, 1e-12);
  check_comparable(set, read);
}

TEST_F(FeatureSetTest, StatisticsOfAnythingElseAreRefused) {
  const FeatureNetwork tiny = network();
  write_statistics(file(), collect(tiny, random_pictures(5)), "five pictures");
  expect_refused(tiny.manifest(), "six pictures", "other pictures");
  const FeatureNetwork heavier = network({.name = "heavier", .gain = 2.0});
  expect_refused(heavier.manifest(), "five pictures", "the feature network tiny-features");
  const FeatureNetwork other =
      network({.name = "other", .manifest_patch = R"({"input": {"mean": [0, 0, 0]}})"});
  expect_refused(other.manifest(), "five pictures", "preprocessing");
  EXPECT_THROW(
      check_comparable(collect(tiny, random_pictures(3)), collect(heavier, random_pictures(3))),
      UsageError);
}

TEST_F(FeatureSetTest, APytorchFidFileIsTakenForInceptionAlone) {
  const at::Tensor mean = at::arange(16, at::kDouble);
  write_npz(file(), {{{"mu", mean}, {"sigma", at::eye(16, at::kDouble)}}, {}});
  expect_refused(network().manifest(), "", "inception-v3-fid alone");
  const FeatureNetwork inception = network({.name = "inception-v3-fid"});
  const FeatureSet read = read_statistics(file(), inception.manifest(), "");
  EXPECT_TRUE(at::equal(read.gaussian.mean, mean));
  EXPECT_TRUE(at::allclose(read.gaussian.covariance(), at::eye(16, at::kDouble)));
  EXPECT_EQ(read.gaussian.count, 0);
}

TEST_F(FeatureSetTest, AFileThatDoesNotFitIsNamed) {
  write_npz(file(), {{{"mu", at::zeros({3})}, {"sigma", at::eye(3)}}, {}});
  expect_refused(network().manifest(), "", "3 dimensions");
  write_npz(file(), {{{"mu", at::zeros({16})}}, {}});
  expect_refused(network().manifest(), "", "no arrays mu and sigma");
  write_npz(file(), {{{"mu", at::zeros({16})}, {"sigma", at::eye(4)}}, {}});
  expect_refused(network().manifest(), "", "[D,D]");
}

TEST_F(FeatureSetTest, WhatCanBeNoStatisticsIsRefused) {
  const FeatureNetwork inception = network({.name = "inception-v3-fid"});
  const at::Tensor mean = at::zeros({16}, at::kDouble);
  write_npz(file(), {{{"mu", mean}, {"sigma", -at::eye(16, at::kDouble)}}, {}});
  expect_refused(inception.manifest(), "", "not symmetric with variances of 0 or more");
  at::Tensor skewed = at::eye(16, at::kDouble);
  skewed[0][1] = 0.5;
  write_npz(file(), {{{"mu", mean}, {"sigma", skewed}}, {}});
  expect_refused(inception.manifest(), "", "not symmetric");
  FeatureSet set = collect(inception, random_pictures(5));
  set.gaussian.count = -3;
  write_statistics(file(), set, "five pictures");
  expect_refused(inception.manifest(), "five pictures", "of -3 pictures");
  Npz npz = read_npz(file(), {{{"mu", 1 << 16}, {"sigma", 1 << 16}}, {{"srdiff.json", 1 << 16}}});
  std::string& origin = npz.texts.at("srdiff.json");
  origin.replace(origin.find("-3"), 2, "1e300");
  write_npz(file(), npz);
  expect_refused(inception.manifest(), "five pictures", "of 1e+300 pictures");
}

TEST_F(FeatureSetTest, AMemberThatIsTooLargeIsNotUnpacked) {
  write_npz(file(), {{{"mu", at::zeros({16})}, {"sigma", at::eye(16)}},
                     {{"srdiff.json", std::string(1 << 20, ' ')}}});
  expect_refused(network().manifest(), "", "srdiff.json has 1048576 bytes");
}

TEST(FrechetDistanceName, IsFidForInceptionAlone) {
  EXPECT_EQ(frechet_distance_name("inception-v3-fid"), "FID (inception-v3-fid)");
  EXPECT_EQ(frechet_distance_name("efficientnet-lite0"), "FD (efficientnet-lite0)");
}

}  // namespace
}  // namespace srdiff
