#include "evaluation/evaluator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluation/folder_evaluation.h"
#include "evaluation/metrics.h"
#include "evaluation/reference_pictures.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using support::make_test_features;
using support::make_test_model;

constexpr int pictures = 9;

at::Tensor picture(int index, double blur = 0.0) {
  at::manual_seed(static_cast<std::uint64_t>(index));
  const at::Tensor image = at::rand({3, 16, 16}).mul(1.8).sub(0.9);
  return image * (1.0 - blur) + image.mean() * blur;
}

class EvaluationTest : public ::testing::Test {
 protected:
  EvaluationTest()
      : network_(FeatureNetwork::load(make_test_features(folder_.path() / "features"))) {
    options_.metrics = parse_metrics("fid,kid,prdc,psnr,consistency");
  }

  Evaluation evaluate(double blur, std::shared_ptr<const FeatureSet> reference_set = nullptr) {
    Evaluator evaluator(options_, &network_, std::move(reference_set));
    for (int i = 0; i < pictures; ++i) {
      evaluator.add_reference(picture(i));
      evaluator.add_output(picture(i, blur));
      evaluator.compare(std::to_string(i), picture(i), picture(i, blur),
                        reduce_reference(picture(i), 2, "a picture"));
    }
    return evaluator.result();
  }

  support::TemporaryFolder folder_;
  FeatureNetwork network_;
  EvaluationOptions options_;
};

TEST_F(EvaluationTest, AReferenceSetServesMoreThanOnce) {
  const Evaluation first = evaluate(0.3);
  ASSERT_EQ(first.figures.size(), 8U);
  const Evaluation again = evaluate(0.3, first.reference_set);
  const Evaluation other = evaluate(0.6, first.reference_set);
  EXPECT_EQ(other.references, pictures);
  for (std::size_t i = 0; i < first.figures.size(); ++i) {
    EXPECT_EQ(first.figures[i].key, other.figures[i].key);
    EXPECT_DOUBLE_EQ(first.figures[i].value, again.figures[i].value) << first.figures[i].key;
  }
  EXPECT_GT(other.figures.front().value, first.figures.front().value);
}

TEST_F(EvaluationTest, AReferenceSetOfAnotherKindIsRefused) {
  options_.metrics = {Metric::fid};
  const Evaluation without_sample = evaluate(0.3);
  options_.metrics = {Metric::kid};
  EXPECT_THROW(Evaluator(options_, &network_, without_sample.reference_set), UsageError);
  const FeatureNetwork other = FeatureNetwork::load(
      make_test_features(folder_.path() / "other", {.name = "other", .gain = 2.0}));
  options_.metrics = {Metric::fid};
  EXPECT_THROW(Evaluator(options_, &other, without_sample.reference_set), UsageError);
  EXPECT_THROW(Evaluator(options_, nullptr), UsageError);
}

TEST_F(EvaluationTest, MeansAndSpreadsAreOverPictures) {
  options_.metrics = {Metric::psnr};
  const Evaluation evaluation = evaluate(0.3);
  at::Tensor values = at::empty({pictures}, at::kDouble);
  for (int i = 0; i < pictures; ++i) {
    values[i] = psnr(picture(i).unsqueeze(0), picture(i, 0.3).unsqueeze(0)).item<double>();
  }
  const Figure& figure = evaluation.figures.front();
  EXPECT_NEAR(figure.value, values.mean().item<double>(), 1e-9);
  EXPECT_NEAR(figure.spread.value_or(0.0), values.std(0, false).item<double>(), 1e-9);
  EXPECT_EQ(evaluation.seconds.network, 0.0);
}

TEST_F(EvaluationTest, OneSubsetHasNoSpread) {
  options_.metrics = {Metric::kid};
  EXPECT_FALSE(evaluate(0.3).figures.front().spread.has_value());  // all pictures at once
  options_.kid = {.subsets = 1, .subset_size = 4};
  EXPECT_FALSE(evaluate(0.3).figures.front().spread.has_value());
  options_.kid.subsets = 10;
  EXPECT_GT(evaluate(0.3).figures.front().spread.value_or(0.0), 0.0);
}

TEST_F(EvaluationTest, AMetricWithoutValuesSaysWhy) {
  options_.metrics = {Metric::ms_ssim};
  const Figure figure = evaluate(0.3).figures.front();
  EXPECT_TRUE(std::isnan(figure.value));
  EXPECT_NE(figure.note.find("below 161 pixels"), std::string::npos) << figure.note;
}

TEST(ReduceReference, IsRoundedToWhatAFileHolds) {
  const at::Tensor small = reduce_reference(picture(1), 4, "a picture");
  ASSERT_EQ(small.sizes(), at::IntArrayRef({3, 4, 4}));
  const at::Tensor levels = (small.to(at::kDouble) + 1.0) * 127.5;
  EXPECT_LT((levels - levels.round()).abs().max().item<double>(), 1e-4);
  EXPECT_THROW(reduce_reference(picture(1), 3, "a picture"), InputError);
}

TEST(ReduceReference, AConstantStaysWhatItIs) {
  const at::Tensor grey = at::full({3, 16, 16}, 101.0F / 255.0F * 2.0F - 1.0F);
  EXPECT_TRUE(at::allclose(reduce_reference(grey, 8, "grey"), grey.narrow(1, 0, 2).narrow(2, 0, 2),
                           0.0, 1e-6));
}

TEST(HashFiles, IsOfContentsInTheirOrder) {
  const support::TemporaryFolder folder;
  const auto write = [&](const char* name, int index) {
    Image image;
    image.rgb = picture(index);
    write_image(folder.path() / name, image);
    return folder.path() / name;
  };
  const fs::path a = write("a.png", 1);
  const fs::path b = write("b.png", 2);
  EXPECT_EQ(hash_files({a, b}), hash_files({write("c.png", 1), b}));
  EXPECT_NE(hash_files({a, b}), hash_files({b, a}));
  EXPECT_EQ(list_pictures(folder.path()).size(), 3U);
}

}  // namespace
}  // namespace srdiff
