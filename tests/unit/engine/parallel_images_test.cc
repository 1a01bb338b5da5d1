#include "engine/parallel_images.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "srdiff/device.h"

namespace srdiff {
namespace {

class RunInParallelTest : public testing::Test {
 protected:
  ~RunInParallelTest() override { set_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

TEST_F(RunInParallelTest, CallsEachOnce) {
  for (const int threads : {1, 2, 3}) {
    set_threads(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 7, 30}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      run_in_parallel(count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const std::atomic<int>& each : calls) {
        EXPECT_EQ(each, 1) << count << " on " << threads;
      }
      EXPECT_EQ(at::get_num_threads(), threads);
    }
  }
}

TEST_F(RunInParallelTest, ThoseThatRunTogetherHaveAThreadEachTheRestHasAll) {
  set_threads(3);
  std::mutex mutex;
  std::vector<int> threads(8);
  run_in_parallel(8, [&](std::int64_t i) {
    const std::lock_guard lock(mutex);
    threads[static_cast<std::size_t>(i)] = at::get_num_threads();
  });
  EXPECT_EQ(threads, (std::vector<int>{1, 1, 1, 1, 1, 1, 3, 3}));
}

/// Each waits until all have begun: one after the other they would wait for ever.
TEST_F(RunInParallelTest, RunAtOnce) {
  set_threads(3);
  std::atomic<int> begun = 0;
  run_in_parallel(3, [&](std::int64_t) {
    ++begun;
    while (begun < 3) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(begun, 3);
}

TEST_F(RunInParallelTest, TakeTheCallersInferenceMode) {
  set_threads(2);
  const auto count_modes = [] {
    std::atomic<int> count = 0;
    run_in_parallel(5, [&](std::int64_t) { count += c10::InferenceMode::is_enabled() ? 1 : 0; });
    return count.load();
  };
  EXPECT_EQ(count_modes(), 0);
  const c10::InferenceMode mode;
  EXPECT_EQ(count_modes(), 5);
}

TEST_F(RunInParallelTest, AnExceptionEndsTheRunAndLeavesTheThreads) {
  for (const int threads : {1, 2}) {
    set_threads(threads);
    std::atomic<int> calls = 0;
    EXPECT_THROW(run_in_parallel(1000,
                                 [&](std::int64_t i) {
                                   ++calls;
                                   if (i == 1) {
                                     throw std::runtime_error("one of them");
                                   }
                                   std::this_thread::yield();
                                 }),
                 std::runtime_error);
    EXPECT_LT(calls, 1000);
    EXPECT_EQ(at::get_num_threads(), threads);
  }
}

}  // namespace
}  // namespace srdiff
