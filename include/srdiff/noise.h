#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <vector>

namespace srdiff {

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3" (SC 2011): four uniform 32-bit words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key);

/// The key of one image's noise, from the user's seed and the low-resolution pixels alone.
///
/// `lr` is [3,h,w] float32 RGB in [−1,1] on the CPU. Pixels are read as 16-bit values, so that an
/// 8-bit picture and its exact 16-bit copy share their noise. Name, batch and tile do not enter.
std::uint64_t noise_key(std::uint64_t seed, const at::Tensor& lr);

/// The key of the noise of a pass of the model, from its picture's noise_key: the same for the
/// first pass, which is number 0. What an earlier pass has made does not enter: it may differ by
/// rounding, between tiles and one piece, and rounding must not give other noise.
std::uint64_t pass_noise_key(std::uint64_t key, int pass);

/// Standard normal noise ε [3,height,width] float32 for one image and one step.
///
/// The value at (x, y) depends on key, step, x and y alone: the counter is (x, y, step, 0), its
/// four words give two Box–Muller pairs, of which R, G and B take the first three. A window that
/// starts at (x0, y0) therefore equals that part of the whole field. Another device than the CPU
/// makes it itself, without waiting: from the same words, equal to the CPU's within rounding.
at::Tensor noise_field(std::uint64_t key, int step, std::int64_t height, std::int64_t width,
                       std::int64_t y0 = 0, std::int64_t x0 = 0, c10::Device device = c10::kCPU);

/// noise_field for each key, stacked: [N,3,height,width].
at::Tensor noise_batch(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                       std::int64_t width, c10::Device device = c10::kCPU);

}  // namespace srdiff
