#include "pipeline/float32_fallback.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "srdiff/error.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;

TEST(FiniteWatch, SeesOneValueThatIsNot) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    FiniteWatch watch;
    EXPECT_TRUE(watch.all_finite());
    at::Tensor values = at::full({3, 5}, std::numeric_limits<float>::max());
    watch.add(values);
    EXPECT_TRUE(watch.all_finite());
    values[1][2] = value;
    watch.add(values);
    watch.add(at::zeros({2}));
    EXPECT_FALSE(watch.all_finite()) << value;
  }
}

class Float32FallbackTest : public ::testing::Test {
 protected:
  /// What is made where float32 gives `exact` and the model at hand infinity.
  at::Tensor make(c10::ScalarType precision, double exact) {
    const Model model =
        Model::load(make_test_model(folder_.path() / "model"), c10::kCPU, precision);
    const WatchedWork work = [&](const Model& used, FiniteWatch& watch) {
      ++calls_;
      at::Tensor made = at::full({1}, calls_ == 2 ? exact : INFINITY);
      EXPECT_EQ(used.precision(), calls_ == 2 ? c10::kFloat : precision);
      watch.add(made);
      return made;
    };
    FiniteWatch watch;
    const at::Tensor made = work(model, watch);
    return finite_or_in_float32(model, made, watch, work);
  }

  TemporaryFolder folder_;
  int calls_ = 0;
};

TEST_F(Float32FallbackTest, TakesFloat32WhereAReducedPrecisionFails) {
  EXPECT_EQ(make(c10::kBFloat16, 0.25).item<float>(), 0.25F);
  EXPECT_EQ(calls_, 2);
}

TEST_F(Float32FallbackTest, RefusesWhatFloat32CannotMakeEither) {
  EXPECT_THROW(make(c10::kBFloat16, INFINITY), InputError);
}

TEST_F(Float32FallbackTest, DoesNotRepeatFloat32) {
  EXPECT_THROW(make(c10::kFloat, 0.25), InputError);
  EXPECT_EQ(calls_, 1);
}

}  // namespace
}  // namespace srdiff
