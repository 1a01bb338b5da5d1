#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

namespace srdiff {

/// noise_batch (srdiff/noise.h) made by a kernel on a CUDA device, and by tensor arithmetic on any
/// other: the same Philox words, bit for bit, and the same values to the rounding of the device's
/// logarithm, sine and cosine. Nothing waits for the device.
at::Tensor tensor_noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                        std::int64_t width, std::int64_t y0, std::int64_t x0, c10::Device device);

}  // namespace srdiff
