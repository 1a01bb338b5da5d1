#include "pipeline/call_memo.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/upscaler.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;

class CallMemoTest : public ::testing::Test {
 protected:
  at::Tensor call(CallMemo& memo, const char* network, const at::Tensor& input) {
    return memo(network, input, [&] {
      ++calls_;
      return input + 1.0;
    });
  }

  int calls_ = 0;
};

TEST_F(CallMemoTest, CallsANetworkOnceForAnInput) {
  CallMemo memo(1 << 20);
  const at::Tensor input = at::arange(12, at::kFloat).reshape({1, 3, 2, 2});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(at::equal(call(memo, "a", input.clone()), input + 1.0));
  }
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(memo.hits(), 2);
  call(memo, "b", input);                        // another network
  call(memo, "a", input.reshape({1, 3, 4, 1}));  // another shape
  call(memo, "a", input + 1e-6);                 // other values
  call(memo, "a", input.transpose(2, 3));        // the same memory
  EXPECT_EQ(calls_, 5);
}

TEST_F(CallMemoTest, KeepsNoMoreThanItMay) {
  CallMemo memo(100);
  const at::Tensor input = at::arange(12, at::kFloat);  // 48 bytes
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 3; ++k) {
      call(memo, "a", input + k);
    }
  }
  EXPECT_EQ(calls_, 4);
}

TEST(RememberingUpscaler, GivesTheSamePictures) {
  const TemporaryFolder folder;
  for (const char* patch : {"{}", R"({"tile": {"size": 16, "overlap": 8}})"}) {
    support::TestModelOptions options;
    options.manifest_patch = patch;
    const Upscaler upscaler(Model::load(make_test_model(folder.path() / "model", options)));
    const Upscaler remembering = upscaler.remembering(1 << 24);
    const at::Tensor lr = at::linspace(-1, 1, 3 * 20 * 36).sin().reshape({1, 3, 20, 36});
    for (const std::uint64_t seed : {1, 2, 1}) {
      const UpscaleSettings settings =
          resolve_settings({.nfe = 2, .seed = seed}, upscaler.model().manifest());
      EXPECT_TRUE(at::equal(remembering.upscale(lr, settings), upscaler.upscale(lr, settings)));
    }
  }
}

}  // namespace
}  // namespace srdiff
