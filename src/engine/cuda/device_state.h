#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>

#include "base/scoped_flag.h"

namespace srdiff::cuda {

// Built against a LibTorch without CUDA, where no device is a CUDA one, these answer as for the
// CPU.

/// Before a call of a network in `precision`. Float32 products in float32, not in TF32's 10 bits,
/// which cuDNN takes unasked; convolutions that give the same bits each time (cuDNN has others of
/// transposed ones). In bf16 and fp16 the fastest of each shape by measurement, which may choose
/// another one the next time; in float32 the one that cuDNN proposes, always the same. For the
/// whole process.
void set_cuda_policy(c10::ScalarType precision);

/// While it lives, set_cuda_policy on this thread takes what cuDNN proposes in every precision: for
/// calls of a size that comes once, where trying takes longer than it saves.
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
