#pragma once

namespace srdiff::cuda {

/// Memory that a block's threads share, of the size that the launch says.
#ifndef SRDIFF_SHARED
#define SRDIFF_SHARED(type, name) extern __shared__ type name[]
#endif

#ifdef __CUDACC__

// Blocks that run at the same time and read each other's shared memory, from compute capability 9.0
// on. A grid launched without clusters is one of clusters of one block.

/// Tells the others that this thread is here.
__device__ inline void cluster_arrives() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}

/// Waits until all have told.
__device__ inline void cluster_leaves() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}

/// Waits until all threads of all blocks are here, and see what the others have written.
__device__ inline void cluster_meets() {
#if __CUDA_ARCH__ >= 900
  cluster_arrives();
  cluster_leaves();
#else
  __syncthreads();
#endif
}

/// The value that `mine` is in the shared memory of another block, by its place in the cluster.
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
  return *mine;  // such devices get one block
#endif
}

#endif

}  // namespace srdiff::cuda
