#include "evaluation/niqe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "evaluation/evaluator.h"
#include "evaluation/npz.h"
#include "srdiff/error.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

/// Waves, of round 8-bit levels: [3,height,width] in [−1,1]; perhaps with small errors.
at::Tensor waves(std::int64_t height, std::int64_t width, bool errors) {
  const at::Tensor c = at::arange(3, at::kDouble).reshape({3, 1, 1});
  const at::Tensor y = at::arange(height, at::kDouble).reshape({1, -1, 1});
  const at::Tensor x = at::arange(width, at::kDouble).reshape({1, 1, -1});
  at::Tensor levels = at::round(at::sin(x * 0.21 + c) * at::cos(y * 0.17) * 100.0 + 128.0);
  if (errors) {
    levels = (levels + at::remainder(x * y + x * 5.0 + c, 17.0) - 8.0).clamp(0.0, 255.0);
  }
  return levels.div(127.5).sub(1.0).to(at::kFloat);
}

NiqeModel model_of(double mean, double variance) {
  return {at::full({36}, mean, at::kDouble), at::eye(36, at::kDouble) * variance};
}

double niqe_of(const at::Tensor& image, const NiqeModel& model) {
  return niqe(image, model).value_or(-1.0);
}

// BasicSR 1.4.2, basicsr.metrics.niqe of these pictures with these models. Of the first, two
// pixels' luma is a half, which goes up; rounded down both would make 3.1039303.
TEST(Niqe, AgreesWithBasicSr) {
  const auto expect = [](double measured, double expected) {
    EXPECT_NEAR(measured, expected, 1e-6 * expected);
  };
  expect(niqe_of(waves(200, 300, false), model_of(0, 1)), 3.1038035445881373);
  expect(niqe_of(waves(200, 300, true), model_of(0, 1)), 4.683819698997514);
  expect(niqe_of(waves(391, 517, true), model_of(0, 1)), 4.664864457719712);
  expect(niqe_of(waves(391, 517, true), model_of(1, 0.1)), 22.57190455177578);
}

TEST(Niqe, FingerprintIsOfTheParameters) {
  EXPECT_EQ(fingerprint(model_of(0, 1)), fingerprint(model_of(0, 1)));
  EXPECT_NE(fingerprint(model_of(0, 1)), fingerprint(model_of(1, 1)));
  EXPECT_NE(fingerprint(model_of(0, 1)), fingerprint(model_of(0, 2)));
}

TEST(Niqe, WhatCannotBeMeasuredHasNone) {
  const NiqeModel model = model_of(0, 1);
  EXPECT_FALSE(niqe(waves(96, 191, true), model));
  EXPECT_FALSE(niqe(waves(95, 400, true), model));
  EXPECT_TRUE(niqe(waves(96, 192, true), model));
  EXPECT_FALSE(niqe(at::zeros({3, 200, 200}), model));
}

TEST(Niqe, ParametersAreReadAndChecked) {
  const support::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "niqe.npz";
  const at::Tensor mean = at::arange(36, at::kDouble).reshape({1, 36});
  write_npz(file,
            {.arrays = {{"mu_pris_param", mean}, {"cov_pris_param", at::eye(36, at::kDouble)}},
             .texts = {}});
  const NiqeModel model = read_niqe_model(file);
  EXPECT_TRUE(at::equal(model.mean, mean[0]));
  EXPECT_TRUE(at::equal(model.covariance, at::eye(36, at::kDouble)));
  write_npz(file, {.arrays = {{"mu_pris_param", at::zeros({5}, at::kDouble)}}, .texts = {}});
  EXPECT_THROW(read_niqe_model(file), InputError);
}

TEST(Niqe, NeedsNoReference) {
  EvaluationOptions options;
  options.metrics = {Metric::niqe};
  EXPECT_THROW(Evaluator(options, nullptr), UsageError);
  options.niqe_model = std::make_shared<const NiqeModel>(model_of(0, 1));
  Evaluator evaluator(options, nullptr);
  evaluator.measure_alone("a", waves(200, 300, true));
  evaluator.add_output(waves(200, 300, true));
  evaluator.measure_alone("b", waves(20, 30, true));
  evaluator.add_output(waves(20, 30, true));
  const Evaluation evaluation = evaluator.result();
  EXPECT_EQ(evaluation.images, 2);
  EXPECT_EQ(evaluation.references, 0);
  ASSERT_EQ(evaluation.figures.size(), 1U);
  EXPECT_EQ(evaluation.figures[0].key, "niqe");
  EXPECT_NEAR(evaluation.figures[0].value, 4.684, 3e-3);
  EXPECT_NE(evaluation.figures[0].note.find("1 pictures left out"), std::string::npos);
}

}  // namespace
}  // namespace srdiff
