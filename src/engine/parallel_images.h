#pragma once

#include <cstdint>
#include <functional>

namespace srdiff {

/// Calls work(i) once for each i of 0 ≤ i < count, on the CPU. As many calls as the calling thread
/// has threads run at once, with one thread each: small images gain more by that than by threads
/// that meet after every operation. What is left over by then runs call after call with all
/// threads.
///
/// The first exception is thrown on when the calls that it ran beside have ended; the rest is left.
void run_in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace srdiff
