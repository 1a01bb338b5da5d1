#include "engine/tensor_noise.h"

#include <ATen/ATen.h>

#include <array>

#include "base/philox.h"

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels/kernels.h"
#endif

namespace srdiff {
namespace {

constexpr std::int64_t low_16 = 0xFFFF;
constexpr std::int64_t low_32 = 0xFFFFFFFF;

struct Halves {
  at::Tensor high;
  at::Tensor low;
};

/// The 64 bits of factor · words, words [...] int64 below 2³². In halves of 16 bits: no product
/// leaves the positive range of int64, which has no unsigned sister on every device.
Halves multiply(std::uint32_t factor, const at::Tensor& words) {
  const std::int64_t m = factor;
  const at::Tensor lower = words.bitwise_and(low_16) * m;
  const at::Tensor upper = words.bitwise_right_shift(16) * m + lower.bitwise_right_shift(16);
  return {upper.bitwise_right_shift(16),
          upper.bitwise_and(low_16).bitwise_left_shift(16).bitwise_or(lower.bitwise_and(low_16))};
}

/// Philox4x32-10 on tensors of words that broadcast; each int64 below 2³².
std::array<at::Tensor, 4> philox(std::array<at::Tensor, 4> counter, std::array<at::Tensor, 2> key) {
  for (int round = 0; round < Philox::rounds; ++round) {
    const Halves a = multiply(Philox::multipliers[0], counter[0]);
    const Halves b = multiply(Philox::multipliers[1], counter[2]);
    counter = {b.high.bitwise_xor(counter[1]).bitwise_xor(key[0]), b.low,
               a.high.bitwise_xor(counter[3]).bitwise_xor(key[1]), a.low};
    for (std::size_t i = 0; i < key.size(); ++i) {
      key[i] = (key[i] + static_cast<std::int64_t>(Philox::increments[i])).bitwise_and(low_32);
    }
  }
  return counter;
}

/// As in noise.cc: uniform in (0, 1), float64.
at::Tensor open_uniform(const at::Tensor& words) {
  return (words.to(at::kDouble) + 0.5) * 0x1p-32;
}

at::Tensor radius_of(const at::Tensor& words) {
  return (open_uniform(words).log() * -2.0).sqrt();
}

at::Tensor angle_of(const at::Tensor& words) {
  return open_uniform(words) * (2.0 * pi);
}

/// One word of each key, [N,1,1] on the device.
at::Tensor key_word(const std::vector<std::uint64_t>& keys, int shift, c10::Device device) {
  const auto count = static_cast<std::int64_t>(keys.size());
  at::Tensor words = at::empty({count, 1, 1}, at::kLong);
  auto* value = words.data_ptr<std::int64_t>();
  for (const std::uint64_t key : keys) {
    *value++ = static_cast<std::int64_t>((key >> shift) & 0xFFFFFFFFU);
  }
  return words.to(device);
}

#ifdef SRDIFF_CUDA

at::Tensor noise_by_kernel(const std::vector<std::uint64_t>& keys, const NoiseWindow& given,
                           c10::Device device) {
  const auto count = static_cast<std::int64_t>(keys.size());
  at::Tensor words = at::empty({count, 2}, at::kInt);
  auto* word = words.data_ptr<int>();
  for (const std::uint64_t key : keys) {
    *word++ = static_cast<int>(static_cast<std::uint32_t>(key));
    *word++ = static_cast<int>(static_cast<std::uint32_t>(key >> 32));
  }
  const c10::cuda::CUDAGuard guard(device);
  // From pinned memory, so that the copy is queued.
  const at::Tensor on_device = words.pin_memory().to(device, /*non_blocking=*/true);
  NoiseWindow window = given;
  window.keys = reinterpret_cast<const std::uint32_t*>(on_device.data_ptr<int>());
  window.images = static_cast<int>(count);
  at::Tensor result = at::empty({count, 3, window.height, window.width},
                                at::TensorOptions().dtype(at::kFloat).device(device));
  C10_CUDA_CHECK(write_noise(window, result.data_ptr<float>(), at::cuda::getCurrentCUDAStream()));
  return result;
}

#endif

}  // namespace

at::Tensor tensor_noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                        std::int64_t width, std::int64_t y0, std::int64_t x0, c10::Device device) {
#ifdef SRDIFF_CUDA
  if (device.is_cuda()) {
    NoiseWindow window;
    window.step = static_cast<std::uint32_t>(step);
    window.x0 = static_cast<std::uint32_t>(x0);
    window.y0 = static_cast<std::uint32_t>(y0);
    window.height = static_cast<int>(height);
    window.width = static_cast<int>(width);
    return noise_by_kernel(keys, window, device);
  }
#endif
  const at::TensorOptions words = at::TensorOptions().dtype(at::kLong).device(device);
  // `step` fills its word by a kernel: a tensor made on the host would have to be copied.
  const std::array<at::Tensor, 4> counter = {
      at::arange(x0, x0 + width, words).view({1, 1, width}),
      at::arange(y0, y0 + height, words).view({1, height, 1}), at::full({1, 1, 1}, step, words),
      at::zeros({1, 1, 1}, words)};
  const std::array<at::Tensor, 4> bits =
      philox(counter, {key_word(keys, 0, device), key_word(keys, 32, device)});
  const at::Tensor first = radius_of(bits[0]);
  const at::Tensor red = first * angle_of(bits[1]).cos();
  const at::Tensor green = first * angle_of(bits[1]).sin();
  const at::Tensor blue = radius_of(bits[2]) * angle_of(bits[3]).cos();
  return at::stack({red, green, blue}, 1).to(at::kFloat);
}

}  // namespace srdiff
