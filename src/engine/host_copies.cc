#include "engine/host_copies.h"

#include <ATen/ATen.h>

#include <optional>

#include "srdiff/logging.h"

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace srdiff {

#ifdef SRDIFF_CUDA

struct HostCopies::State {
  c10::Device device;
  std::optional<c10::cuda::CUDAStream> stream = {};  ///< the copies' own
};

HostCopies::HostCopies(c10::Device device) : state_(new State{device}) {
  if (device.is_cuda()) {
    state_->stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index());
  }
}

HostCopies::~HostCopies() {
  try {
    wait();
  } catch (const std::exception& error) {
    log::debug("waiting for copies from the device failed: {}", error.what());
  }
}

at::Tensor HostCopies::add(const at::Tensor& tensor) {
  if (!tensor.is_cuda()) {
    return tensor.to(at::kCPU).contiguous();
  }
  const at::Tensor source = tensor.contiguous();
  at::cuda::CUDAEvent computed;
  computed.record(c10::cuda::getCurrentCUDAStream(state_->device.index()));
  computed.block(*state_->stream);
  const c10::cuda::CUDAStreamGuard on_the_copies_stream(*state_->stream);
  at::Tensor result =
      at::empty(source.sizes(), source.options().device(at::kCPU).pinned_memory(true));
  result.copy_(source, /*non_blocking=*/true);
  c10::cuda::CUDACachingAllocator::recordStream(source.storage().data_ptr(), *state_->stream);
  return result;
}

void HostCopies::wait() {
  if (state_->stream) {
    state_->stream->synchronize();
  }
}

#else

struct HostCopies::State {};

HostCopies::HostCopies(c10::Device /*device*/) {}

HostCopies::~HostCopies() = default;

at::Tensor HostCopies::add(const at::Tensor& tensor) {
  return tensor.to(at::kCPU).contiguous();
}

void HostCopies::wait() {}

#endif

}  // namespace srdiff
