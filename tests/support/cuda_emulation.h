#pragma once

// Runs kernels on the CPU, one thread of a grid after another, so that their indices and their use
// of shared memory are tested where there is no GPU. Included before the kernels' sources. A
// block's threads, and those of a cluster's other blocks, take turns at barriers.

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>

#undef __device__
#undef __global__
#undef __host__
#undef __launch_bounds__
#define __device__
#define __global__
#define __host__
#define __launch_bounds__(...)

struct EmulatedIndex {
  int x = 0;
  int y = 0;
  int z = 0;
};

extern EmulatedIndex threadIdx;
extern EmulatedIndex blockIdx;
extern EmulatedIndex blockDim;
extern EmulatedIndex gridDim;

namespace srdiff::cuda {

/// Shared memory of the running thread's block, and of another of its cluster.
char* emulated_shared();
char* emulated_shared_of(int block);

/// Lets all other threads of the cluster come to the same barrier.
void emulated_barrier();

/// Runs a kernel; blocks that differ in x alone are a cluster. `backwards`: the last thread first.
/// Throws std::logic_error when the kernel wrote behind its `shared_bytes`.
void emulate(EmulatedIndex grid, int threads, std::size_t shared_bytes, bool backwards,
             const std::function<void()>& kernel);

inline void cluster_arrives() {}
inline void cluster_leaves() {
  emulated_barrier();
}
inline void cluster_meets() {
  emulated_barrier();
}
inline float2 of_cluster(const float2* mine, int block) {
  const auto place = reinterpret_cast<const char*>(mine) - emulated_shared();
  return *reinterpret_cast<const float2*>(emulated_shared_of(block) + place);
}

}  // namespace srdiff::cuda

#define SRDIFF_SHARED(type, name) type* const name = reinterpret_cast<type*>(emulated_shared())

inline void __syncthreads() {
  srdiff::cuda::emulated_barrier();
}
inline float __uint_as_float(unsigned int bits) {
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline unsigned int __float_as_uint(float value) {
  unsigned int bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float rsqrtf(float x) {
  return 1.0F / std::sqrt(x);
}
using std::max;
