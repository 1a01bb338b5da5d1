#include "batch/batch_threads.h"

#include <ATen/Parallel.h>

#include <utility>

namespace srdiff {

BatchThreads::BatchThreads()
    : kept_(at::get_num_threads()), begins_(decided_.get_future().share()) {}

BatchThreads::~BatchThreads() {
  if (!begun_) {
    begin(false);
  }
  join();
}

int BatchThreads::start(const std::function<void()>& loop, int most) {
  for (int i = 0; i < most; ++i) {
    std::promise<void> is_ready;
    std::future<void> ready = is_ready.get_future();
    try {
      threads_.emplace_back([loop, begins = begins_, is_ready = std::move(is_ready)]() mutable {
        const ScopedThreads one(1);  // LibTorch's threads are for the networks
        is_ready.set_value();
        if (begins.get()) {
          loop();
        }
      });
    } catch (const std::system_error& error) {
      refusal_ = error;
      return i;
    }
    ready_.push_back(std::move(ready));
  }
  return most;
}

std::optional<std::system_error> BatchThreads::begin(bool enough) {
  for (const std::future<void>& thread : ready_) {
    thread.wait();
  }
  kept_.reset();
  begun_ = true;
  decided_.set_value(enough);
  return enough ? std::nullopt : refusal_;
}

void BatchThreads::join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

}  // namespace srdiff
