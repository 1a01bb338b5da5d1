#include "interruption_watch.h"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "base/atomic_file.h"
#include "base/unstoppable_work.h"
#include "exit_status.h"
#include "interruption.h"
#include "srdiff/logging.h"

namespace {

constexpr auto patience = std::chrono::seconds(1);
constexpr auto between_looks = std::chrono::milliseconds(100);

[[noreturn]] void end_now() {
  srdiff::log::error("interrupted; the picture that was being read or written was not made");
  srdiff::remove_own_temporary_files();
  std::_Exit(exit_interrupted);
}

void watch() {
  wait_for_interruption();
  std::this_thread::sleep_for(patience);
  while (!srdiff::UnstoppableWork::goes_on()) {
    std::this_thread::sleep_for(between_looks);
  }
  end_now();
}

}  // namespace

void watch_interruption() {
  // Signals go to the other threads, whose waiting calls they end.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(watch).detach();
  } catch (const std::system_error&) {
    // Then an interruption waits.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
