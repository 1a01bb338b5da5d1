#include "engine/parallel_images.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <atomic>

#include "engine/scoped_threads.h"

namespace srdiff {
void run_in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t together = threads > 1 ? count - count % threads : 0;
  const bool records_no_gradients = c10::InferenceMode::is_enabled();
  std::atomic<std::int64_t> next = 0;
  std::atomic<bool> failed = false;
  // Images take different times, and processors too: each thread takes the next image, not a fixed
  // share.
  at::parallel_for(0, std::min(threads, together), 1, [&](std::int64_t, std::int64_t) {
    const ScopedThreads one(1);
    const c10::InferenceMode mode(records_no_gradients);
    for (std::int64_t i = next++; i < together && !failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        failed = true;
        throw;
      }
    }
  });
  for (std::int64_t i = together; i < count; ++i) {
    work(i);
  }
}

}  // namespace srdiff
