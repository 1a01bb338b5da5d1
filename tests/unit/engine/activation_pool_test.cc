#include "engine/cpu/activation_pool.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace srdiff::cpu {
namespace {

constexpr std::int64_t side = 2048;  // 16 MiB of float32
constexpr std::size_t bytes = 4 * side * side;

at::Tensor features() {
  return at::empty({side, side});
}

TEST(ActivationPool, IsInstalledByTheProgramAlone) {
  const c10::Allocator* const before = c10::GetCPUAllocator();
  const ActivationPool memory;
  {
    const ActivationPool::Call call(memory);
    EXPECT_EQ(c10::GetCPUAllocator(), before);
    features();
  }
}

class ActivationPoolTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ActivationPool::install(); }
};

TEST_F(ActivationPoolTest, GivesTheNextLayerTheBlockOfTheLast) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  at::Tensor first = features();
  const void* const place = first.data_ptr();
  first = at::Tensor();
  EXPECT_GE(memory.kept(), bytes);
  const at::Tensor second = features();
  EXPECT_EQ(second.data_ptr(), place);
  EXPECT_EQ(memory.kept(), 0);
}

TEST_F(ActivationPoolTest, KeepsBlocksFromCallToCallWhileTheyAreUsed) {
  const ActivationPool memory;
  const void* place = nullptr;
  for (int i = 0; i < 3; ++i) {
    const ActivationPool::Call call(memory);
    const at::Tensor here = features();
    EXPECT_TRUE(place == nullptr || place == here.data_ptr());
    place = here.data_ptr();
  }
  EXPECT_GE(memory.kept(), bytes);
  for (unsigned long i = 0; i < 3 * ActivationPool::calls_without_use; ++i) {
    const ActivationPool::Call without_any(memory);
  }
  EXPECT_EQ(memory.kept(), 0);
}

TEST_F(ActivationPoolTest, KeepsWhatOtherCallsInTurnsNeed) {
  const ActivationPool memory;
  const auto call = [&](std::int64_t height) {
    const ActivationPool::Call here(memory);
    return at::empty({height, side}).data_ptr();
  };
  const void* const place = call(side);
  for (unsigned long i = 0; i < 4 * ActivationPool::calls_without_use; ++i) {
    EXPECT_EQ(call(i % 2 == 0 ? side / 2 : side), place);
  }
  EXPECT_GE(memory.kept(), bytes);
}

TEST_F(ActivationPoolTest, GivesBackWhatLargerCallsLeft) {
  const ActivationPool memory;
  {
    const ActivationPool::Call call(memory);
    at::empty({side, 4 * side});
  }
  EXPECT_GE(memory.kept(), 4 * bytes);
  for (unsigned long i = 0; i < 3 * ActivationPool::calls_without_use; ++i) {
    const ActivationPool::Call call(memory);
    features();
  }
  EXPECT_GE(memory.kept(), bytes);
  EXPECT_LT(memory.kept(), 2 * bytes);
}

TEST_F(ActivationPoolTest, LeavesSmallBlocksAndOtherThreadsAlone) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  { const at::Tensor small = at::empty({64}); }
  std::thread([] { features(); }).join();
  EXPECT_EQ(memory.kept(), 0);
}

#ifndef __SANITIZE_ADDRESS__  // under which each block has memory of its own
TEST_F(ActivationPoolTest, BlocksOfOtherSizesTakeThePlacesOfThoseGivenBack) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  at::Tensor first = features();
  at::Tensor second = features();
  const at::Tensor behind = features();
  const void* const place = first.data_ptr();
  // Two neighbours, given back in either order, become one place.
  second = at::Tensor();
  first = at::Tensor();
  const std::size_t kept = memory.kept();
  EXPECT_GE(kept, 2 * bytes);
  const at::Tensor both = at::empty({2 * side, side});
  EXPECT_EQ(both.data_ptr(), place);
  EXPECT_LT(memory.kept(), bytes);
}
#endif

TEST_F(ActivationPoolTest, BlocksDoNotOverlap) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  std::vector<at::Tensor> images(8);
  std::vector<float> values(images.size());
  for (int i = 0; i < 64; ++i) {
    const std::size_t at = static_cast<std::size_t>(i * i + i / 3) % images.size();
    values[at] = static_cast<float>(i + 1);
    images[at] = at::Tensor();
    images[at] = at::empty({side + 37 * (i % 7) * (i % 5), side}).fill_(values[at]);
    for (std::size_t j = 0; j < images.size(); ++j) {
      if (images[j].defined()) {
        EXPECT_EQ(images[j].min().item<float>(), values[j]);
        EXPECT_EQ(images[j].max().item<float>(), values[j]);
      }
    }
  }
}

TEST_F(ActivationPoolTest, IsOutlivedByWhatANetworkReturns) {
  at::Tensor result;
  {
    const ActivationPool memory;
    const ActivationPool::Call call(memory);
    result = features().fill_(3.0F);
  }
  EXPECT_EQ(result.sum().item<double>(), 3.0 * side * side);
}

TEST_F(ActivationPoolTest, TakesBackByAddressAlone) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  c10::Allocator& all = *c10::GetCPUAllocator();
  all.raw_deallocate(all.raw_allocate(bytes));
  EXPECT_GE(memory.kept(), bytes);
  all.raw_deallocate(all.raw_allocate(64));
}

TEST_F(ActivationPoolTest, ServesSeveralThreadsAtOnce) {
  const ActivationPool memory;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&memory, number] {
      for (int i = 0; i < 8; ++i) {
        const ActivationPool::Call call(memory);
        const at::Tensor mine = features().fill_(static_cast<float>(number));
        EXPECT_EQ(mine.min().item<float>(), number);
        EXPECT_EQ(mine.max().item<float>(), number);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace srdiff::cpu
