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
  { const ActivationPool::Call without_any(memory); }
  EXPECT_EQ(memory.kept(), 0);
}

TEST_F(ActivationPoolTest, LeavesSmallBlocksAndOtherThreadsAlone) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  { const at::Tensor small = at::empty({64}); }
  std::thread([] { features(); }).join();
  EXPECT_EQ(memory.kept(), 0);
}

TEST_F(ActivationPoolTest, DoesNotHandOutABlockThatIsMuchTooLarge) {
  const ActivationPool memory;
  const ActivationPool::Call call(memory);
  { const at::Tensor large = features(); }
  const at::Tensor half = at::empty({side, side / 2});
  EXPECT_GE(memory.kept(), bytes);
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
