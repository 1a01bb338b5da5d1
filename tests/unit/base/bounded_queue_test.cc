#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "base/bounded_queue.h"

namespace srdiff {
namespace {

TEST(BoundedQueue, HandsOnInOrderAndEnds) {
  BoundedQueue<int> queue(2, 100);
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) {
      queue.push(i, 1);
    }
    queue.close();
  });
  int expected = 0;
  while (const auto value = queue.pop()) {
    EXPECT_EQ(*value, expected++);
  }
  producer.join();
  EXPECT_EQ(expected, 1000);
  EXPECT_FALSE(queue.pop());
}

TEST(BoundedQueue, HoldsNoMoreThanItMay) {
  BoundedQueue<int> queue(3, 100);
  std::atomic<int> pushed = 0;
  std::thread producer([&] {
    for (const std::size_t bytes : {500U, 60U, 60U, 1U, 1U, 1U}) {  // alone; one; two; three
      queue.push(0, bytes);
      ++pushed;
    }
  });
  for (const int most : {1, 2, 5, 6}) {
    while (pushed < most) {
      std::this_thread::yield();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(pushed, most);
    queue.pop();
  }
  producer.join();
}

TEST(BoundedQueue, SmallValuesDoNotKeepALargeOneWaiting) {
  BoundedQueue<int> queue(4, 100);
  std::atomic<bool> seen = false;
  std::thread small_ones([&] {
    while (!seen) {
      queue.push(0, 10);
    }
    queue.close();
  });
  std::thread large_one([&] { queue.push(1, 500); });
  while (queue.pop() != 1) {
  }
  seen = true;
  while (queue.pop()) {
  }
  small_ones.join();
  large_one.join();
}

}  // namespace
}  // namespace srdiff
