#include "interruption_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/atomic_file.h"
#include "base/unstoppable_work.h"
#include "exit_status.h"
#include "interruption.h"
#include "output/message_log.h"
#include "support/temporary_folder.h"

namespace {

using std::chrono::seconds;

/// A decoder that takes a minute, interrupted.
[[noreturn]] void decode_for_a_minute(const std::filesystem::path& folder) {
  set_up_message_log();
  const srdiff::AtomicFile file(folder / "out.png");
  handle_signals();
  watch_interruption();
  const srdiff::UnstoppableWork work;
  std::raise(SIGINT);
  std::this_thread::sleep_for(seconds(60));
  std::_Exit(0);
}

TEST(InterruptionWatchTest, DoesNotWaitForADecoder) {
  ::testing::FLAGS_gtest_death_test_style = "fast";
  const srdiff::support::TemporaryFolder folder;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EXIT(decode_for_a_minute(folder.path()), ::testing::ExitedWithCode(exit_interrupted),
              "interrupted; the picture that was being read or written was not made");
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

/// What notices the interruption by itself is left to end in order.
[[noreturn]] void end_in_order() {
  handle_signals();
  watch_interruption();
  std::raise(SIGINT);
  std::this_thread::sleep_for(seconds(2));
  std::_Exit(interrupted ? 7 : 8);
}

TEST(InterruptionWatchTest, LeavesOtherWorkAlone) {
  ::testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_EXIT(end_in_order(), ::testing::ExitedWithCode(7), "");
}

}  // namespace
