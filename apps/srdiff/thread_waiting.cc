#include "thread_waiting.h"

#include <sched.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {

constexpr const char* short_spin = "1000";
constexpr const char* long_spin = "3000";

/// Threads that run or could run at this moment, this one included; 0 where the system does not
/// say.
int runnable_threads() {
  std::ifstream statistics("/proc/stat");
  std::string line;
  const std::string name = "procs_running ";
  while (std::getline(statistics, line)) {
    if (line.rfind(name, 0) == 0) {
      return std::atoi(line.c_str() + name.size());  // NOLINT(cert-err34-c): 0 says unknown
    }
  }
  return 0;
}

int available_cores() {
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace

void choose_thread_waiting() {
  // NOLINTBEGIN(concurrency-mt-unsafe): no other thread runs yet
  if (std::getenv("OMP_WAIT_POLICY") == nullptr && std::getenv("GOMP_SPINCOUNT") == nullptr) {
    const bool busy = runnable_threads() > available_cores();
    ::setenv("GOMP_SPINCOUNT", busy ? short_spin : long_spin, 0);
  }
  // NOLINTEND(concurrency-mt-unsafe)
}
