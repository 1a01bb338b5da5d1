#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace srdiff::cuda {

// Built with CUDA alone.

/// noise_batch (srdiff/noise.h) of the window at (x0, y0), made by a kernel from the bits that the
/// processor draws, and equal to its values within rounding. Nothing waits for the device.
at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                 std::int64_t width, std::int64_t y0, std::int64_t x0, c10::Device device);

using WeightedTensor = std::pair<at::Tensor, double>;

/// Σ weight·tensor by one kernel, with `clip` to [−1,1]; undefined where the kernel does not take
/// these tensors: more than four, other shapes, types or devices than the first one's.
at::Tensor weighted_sum(const std::vector<WeightedTensor>& terms, bool clip);

}  // namespace srdiff::cuda
