#pragma once

namespace srdiff::cuda {

/// Shared memory of a block, whose size the launch sets.
#ifndef SRDIFF_SHARED
#define SRDIFF_SHARED(type, name) extern __shared__ type name[]
#endif

#ifdef __CUDACC__

// Thread block clusters, from compute capability 9.0 on: the blocks of a cluster run at the same
// time and can read each other's shared memory. In a grid that is launched without clusters, each
// block is a cluster of its own.

/// Says that this thread has come to the cluster's barrier, and does not wait.
__device__ inline void cluster_arrives() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}

/// Waits until every thread of the cluster has called cluster_arrives.
__device__ inline void cluster_leaves() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}

/// A barrier for all threads of the cluster. Behind it, each thread sees what the others have
/// written before it.
__device__ inline void cluster_meets() {
#if __CUDA_ARCH__ >= 900
  cluster_arrives();
  cluster_leaves();
#else
  __syncthreads();
#endif
}

/// Reads the shared memory of another block: the value at the place that `mine` has in this one's.
/// `block` is the other's index in the cluster.
__device__ inline float2 of_cluster(const float2* mine, int block) {
#if __CUDA_ARCH__ >= 900
  const auto address = static_cast<unsigned int>(__cvta_generic_to_shared(mine));
  unsigned int other = 0;
  float2 value;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(other) : "r"(address), "r"(block));
  asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];"
               : "=f"(value.x), "=f"(value.y)
               : "r"(other)
               : "memory");
  return value;
#else
  return *mine;  // devices without clusters get one block
#endif
}

#endif

}  // namespace srdiff::cuda
