#include "interruption.h"

#include <semaphore.h>

#include <cerrno>
#include <csignal>

std::atomic<bool> interrupted = false;

namespace {

sem_t signalled;  // sem_post is one of the few calls that a signal's handler may make

extern "C" void on_signal(int /*number*/) {
  const int error_number = errno;
  interrupted = true;
  ::sem_post(&signalled);
  errno = error_number;
}

/// A call that waits, such as a read of a silent pipe, ends with EINTR rather than wait on. Where
/// the caller ignores the signal, as a script's shell does for what it starts in the background, it
/// stays ignored.
void stop_on(int signal) {
  struct sigaction action = {};
  if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
    return;
  }
  action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESETHAND;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void handle_signals() {
  ::sem_init(&signalled, 0, 0);
  stop_on(SIGINT);
  stop_on(SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void wait_for_interruption() {
  while (::sem_wait(&signalled) != 0 && errno == EINTR) {
  }
}
