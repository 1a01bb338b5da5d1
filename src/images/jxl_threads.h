#pragma once

#include <ATen/Parallel.h>
#include <jxl/parallel_runner.h>

#include <cstdint>

namespace srdiff {

/// Runs libjxl's work on LibTorch's threads, so that no others are there. Of the type
/// JxlParallelRunner, without a state of its own.
inline JxlParallelRetCode run_on_our_threads(void* /*state*/, void* work, JxlParallelRunInit begin,
                                             JxlParallelRunFunction run, std::uint32_t first,
                                             std::uint32_t end) {
  const JxlParallelRetCode began = begin(work, static_cast<std::size_t>(at::get_num_threads()));
  if (began != 0) {
    return began;
  }
  at::parallel_for(first, end, 1, [&](std::int64_t from, std::int64_t to) {
    const auto thread = static_cast<std::size_t>(at::get_thread_num());
    for (std::int64_t i = from; i < to; ++i) {
      run(work, static_cast<std::uint32_t>(i), thread);
    }
  });
  return 0;
}

}  // namespace srdiff
