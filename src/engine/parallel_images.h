#pragma once

#include <cstdint>
#include <functional>

namespace srdiff {

/// Calls work(i) once for each i of 0 ≤ i < count, on the CPU. As many calls run at once as the
/// calling thread has threads, each with one thread: small images gain more by that than by threads
/// that wait for each other after every operation. The last calls, fewer than there are threads,
/// run one after another with all threads.
///
/// Where a call throws, no further call starts; the first exception is thrown again when the calls
/// at work have ended.
void run_in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace srdiff
