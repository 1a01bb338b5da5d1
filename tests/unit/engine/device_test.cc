#include "srdiff/device.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <cstdlib>

#include "engine/backend.h"
#include "engine/linear_combination.h"
#include "srdiff/error.h"
#include "support/expect.h"

namespace srdiff {
namespace {

TEST(Device, KnowsItsWords) {
  EXPECT_TRUE(parse_device("cpu").is_cpu());
  EXPECT_EQ(parse_device("auto").is_cuda(), torch::cuda::is_available());
  for (const char* word : {"", "gpu", "cuda0", "cuda:", "cuda:x", "cuda:-1", "CPU"}) {
    EXPECT_THROW(parse_device(word), UsageError) << word;
  }
}

TEST(Device, AnAbsentCudaDeviceIsNamed) {
  const std::string message = support::message_of<ModelError>([] { parse_device("cuda:99"); });
  EXPECT_NE(message.find("cuda:99"), std::string::npos) << message;
}

TEST(Device, PrecisionWords) {
  for (const char* word : {"fp32", "bf16", "fp16"}) {
    EXPECT_EQ(to_string(parse_precision(word)), word);
  }
  EXPECT_THROW(parse_precision("int8"), UsageError);
}

#if defined(__x86_64__)
TEST(Device, TheMachineTellsTheInstructionsOfItsKernels) {
  if (std::getenv("ATEN_CPU_CAPABILITY") != nullptr) {
    GTEST_SKIP() << "ATEN_CPU_CAPABILITY chooses the instructions";
  }
  const std::string told = this_machine().instruction_set;
  const bool wide =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  EXPECT_EQ(told.rfind("AVX512", 0) == 0, wide) << told;
}
#endif

TEST(Backend, OfTheCpu) {
  const Backend& backend = backend_for(c10::kCPU);
  EXPECT_TRUE(backend.one_image_per_call());
  EXPECT_TRUE(backend.computes(c10::kBFloat16));
  EXPECT_FALSE(backend.computes(c10::kHalf));
  EXPECT_FALSE(backend.free_memory().has_value());
  bool called = false;
  EXPECT_EQ(backend.peak_memory([&] { called = true; }), 0);
  EXPECT_TRUE(called);
}

TEST(Backend, OfADeviceThatIsNotThere) {
  EXPECT_THROW(backend_for({c10::kCUDA, 99}), ModelError);
  try {
    backend_for(c10::kMeta);
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_EQ(error.code(), ErrorCode::device_absent);
  }
}

TEST(LinearCombination, IsTheSumThatIsWritten) {
  const at::Tensor x = at::randn({2, 3, 4, 5});
  const at::Tensor y = at::randn({2, 3, 4, 5});
  const LinearCombination a(x);
  const LinearCombination b(y);
  EXPECT_TRUE(at::equal(((a - b * 0.3) / 0.7 + b).tensor(), (x - y * 0.3) / 0.7 + y));
  EXPECT_TRUE(at::equal((a * 3.0).tensor(true), (x * 3.0).clamp(-1.0, 1.0)));
}

TEST(Device, ThreadsAreSet) {
  const int before = at::get_num_threads();
  set_threads(3);
  EXPECT_EQ(at::get_num_threads(), 3);
  EXPECT_THROW(set_threads(0), UsageError);
  set_threads(before);
  EXPECT_GE(available_processors(), 1);
}

}  // namespace
}  // namespace srdiff
