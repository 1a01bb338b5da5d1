#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace srdiff::cpu {

/// noise_batch (srdiff/noise.h) of the window at (x0, y0): [keys, 3, height, width] float32.
at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                 std::int64_t width, std::int64_t y0, std::int64_t x0);

}  // namespace srdiff::cpu
