#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>

#include "base/scoped_flag.h"

namespace srdiff::cuda {

// In a build against a LibTorch without CUDA these answer as for the CPU.

/// use_exact_cuda_arithmetic of srdiff/device.h.
void use_exact_arithmetic();

/// While it lives, cuDNN chooses kernels for convolutions in `precision`: in bf16 and fp16 it takes
/// the fastest for each shape by trying, and may take another the next time; in float32 it takes
/// the one that it proposes, which is always the same. LibTorch has one such choice for the whole
/// process; what it was before is then set again.
class KernelChoice {
 public:
  explicit KernelChoice(c10::ScalarType precision);
  KernelChoice(const KernelChoice&) = delete;
  KernelChoice& operator=(const KernelChoice&) = delete;
  ~KernelChoice();

 private:
  bool before_;
};

/// While it lives, a KernelChoice on this thread takes the kernel that cuDNN proposes in every
/// precision: for calls of a size that comes once, for which trying takes longer than it saves.
class WithoutKernelTrials : ScopedFlag {
 public:
  WithoutKernelTrials();
};

/// Whether the device multiplies bf16 in hardware: compute capability 8.0 and later.
bool multiplies_bf16(c10::Device device);

/// Bytes that further tensors on a CUDA device can have: those free, and those that LibTorch holds
/// unused. 0 for other devices.
std::int64_t free_device_memory(c10::Device device);

/// Bytes of tensors on a CUDA device that a call held at its worst moment beyond what was there.
/// 0 for other devices.
std::int64_t peak_device_memory(c10::Device device, const std::function<void()>& call);

}  // namespace srdiff::cuda
