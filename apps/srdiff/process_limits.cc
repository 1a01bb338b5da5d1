#include "process_limits.h"

#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <vector>

namespace {

constexpr rlim_t usual_stack = rlim_t{8} << 20;

/// Above this many threads and processes a limit is one against mishaps.
constexpr rlim_t few_threads = 4096;

rlim_t limit_of(int resource) {
  struct rlimit limits {};
  return ::getrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &limits) == 0 ? limits.rlim_cur
                                                                               : RLIM_INFINITY;
}

/// Whether a thread for each processor can run beside this one.
bool has_threads_for_all_processors() {
  std::vector<std::thread> threads;
  bool started = true;
  try {
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) {
      threads.emplace_back([] {});
    }
  } catch (const std::system_error&) {
    started = false;
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return started;
}

}  // namespace

void run_with_usual_stack(void (*run)(int argc, char** argv), int argc, char** argv) {
  if (limit_of(RLIMIT_STACK) >= usual_stack) {
    run(argc, argv);
    return;
  }
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) == 0) {
    ::pthread_attr_setstacksize(&attributes, static_cast<std::size_t>(usual_stack));
    ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
  }
  try {
    std::thread thread([=] { run(argc, argv); });
    // A signal shall interrupt what the other thread waits for.
    sigset_t signals;
    ::sigfillset(&signals);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    thread.join();
  } catch (const std::system_error&) {
    run(argc, argv);
  }
}

void limit_blas_threads() {
  const bool little_space = limit_of(RLIMIT_AS) != RLIM_INFINITY;
  if (little_space || (limit_of(RLIMIT_NPROC) < few_threads && !has_threads_for_all_processors())) {
    ::setenv("OPENBLAS_NUM_THREADS", "1", 0);  // NOLINT(concurrency-mt-unsafe)
  }
}
