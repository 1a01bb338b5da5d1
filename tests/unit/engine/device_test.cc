#include "srdiff/device.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

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
