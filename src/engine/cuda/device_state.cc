#include "engine/cuda/device_state.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace srdiff::cuda {
namespace {

thread_local bool without_trials = false;

}  // namespace

WithoutKernelTrials::WithoutKernelTrials() : ScopedFlag(without_trials) {}

void use_exact_arithmetic() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
}

KernelChoice::KernelChoice(c10::ScalarType precision)
    : before_(at::globalContext().benchmarkCuDNN()) {
  at::globalContext().setBenchmarkCuDNN(precision != c10::kFloat && !without_trials);
}

KernelChoice::~KernelChoice() {
  at::globalContext().setBenchmarkCuDNN(before_);
}

#ifdef SRDIFF_CUDA

namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

std::int64_t bytes_now(c10::Device device) {
  return allocator::getDeviceStats(device.index()).allocated_bytes[0].current;
}

}  // namespace

bool multiplies_bf16(c10::Device device) {
  constexpr int ampere = 8;
  return device.is_cuda() && at::cuda::getDeviceProperties(device.index())->major >= ampere;
}

std::int64_t free_device_memory(c10::Device device) {
  if (!device.is_cuda()) {
    return 0;
  }
  const c10::cuda::CUDAGuard guard(device);
  std::size_t free = 0;
  std::size_t total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  const auto stats = allocator::getDeviceStats(device.index());
  return static_cast<std::int64_t>(free) + stats.reserved_bytes[0].current -
         stats.allocated_bytes[0].current;
}

std::int64_t peak_device_memory(c10::Device device, const std::function<void()>& call) {
  if (!device.is_cuda()) {
    call();
    return 0;
  }
  allocator::resetPeakStats(device.index());
  const std::int64_t before = bytes_now(device);
  call();
  return allocator::getDeviceStats(device.index()).allocated_bytes[0].peak - before;
}

#else

bool multiplies_bf16(c10::Device /*device*/) {
  return false;
}

std::int64_t free_device_memory(c10::Device /*device*/) {
  return 0;
}

std::int64_t peak_device_memory(c10::Device /*device*/, const std::function<void()>& call) {
  call();
  return 0;
}

#endif

}  // namespace srdiff::cuda
