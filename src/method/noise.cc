#include "srdiff/noise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>

#include "base/philox.h"
#include "base/sha256.h"
#include "engine/tensor_noise.h"

namespace srdiff {
namespace {

/// Uniform in the open interval (0, 1), so that the logarithm below is finite.
double open_uniform(std::uint32_t word) {
  return (word + 0.5) * 0x1p-32;
}

/// Box–Muller, in double so that two C libraries agree to float rounding.
std::array<float, 2> normal_pair(std::uint32_t a, std::uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log(open_uniform(a)));
  const double angle = 2.0 * pi * open_uniform(b);
  return {static_cast<float>(radius * std::cos(angle)),
          static_cast<float>(radius * std::sin(angle))};
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < Philox::rounds; ++round) {
    const std::uint64_t a = std::uint64_t{Philox::multipliers[0]} * counter[0];
    const std::uint64_t b = std::uint64_t{Philox::multipliers[1]} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += Philox::increments[0];
    key[1] += Philox::increments[1];
  }
  return counter;
}

std::uint64_t noise_key(std::uint64_t seed, const at::Tensor& lr) {
  TORCH_CHECK(lr.dim() == 3 && lr.size(0) == 3, "noise_key takes [3,h,w]");
  Sha256 hash;
  hash.update_u64(seed);
  hash.update_u64(static_cast<std::uint64_t>(lr.size(1)));
  hash.update_u64(static_cast<std::uint64_t>(lr.size(2)));
  std::vector<unsigned char> bytes;  // 16-bit little-endian, whatever this machine's byte order
  constexpr std::int64_t rows_at_once = 64;
  for (const at::Tensor& rows : lr.split(rows_at_once, 1)) {
    const at::Tensor pixels =
        ((rows.detach().to(at::kCPU, at::kFloat) + 1.0) * (65535.0 / 2.0)).round().to(at::kInt);
    const at::Tensor hwc = pixels.permute({1, 2, 0}).contiguous();
    const auto* value = hwc.data_ptr<int>();
    bytes.clear();
    for (const auto* const end = value + hwc.numel(); value != end; ++value) {
      bytes.push_back(static_cast<unsigned char>(*value & 0xff));
      bytes.push_back(static_cast<unsigned char>((*value >> 8) & 0xff));
    }
    hash.update(bytes.data(), bytes.size());
  }
  return hash.first_u64();
}

at::Tensor noise_field(std::uint64_t key, int step, std::int64_t height, std::int64_t width,
                       std::int64_t y0, std::int64_t x0, c10::Device device) {
  if (!device.is_cpu()) {
    return tensor_noise({key}, step, height, width, y0, x0, device)[0];
  }
  at::Tensor field = at::empty({3, height, width}, at::kFloat);
  auto* red = field.data_ptr<float>();
  float* green = red + height * width;
  float* blue = green + height * width;
  const std::array<std::uint32_t, 2> key_words = {static_cast<std::uint32_t>(key),
                                                  static_cast<std::uint32_t>(key >> 32)};
  constexpr std::int64_t rows_per_task = 16;
  at::parallel_for(0, height, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const auto words =
            philox4x32_10({static_cast<std::uint32_t>(x0 + x), static_cast<std::uint32_t>(y0 + y),
                           static_cast<std::uint32_t>(step), 0},
                          key_words);
        const auto first = normal_pair(words[0], words[1]);
        const auto second = normal_pair(words[2], words[3]);
        const std::int64_t i = y * width + x;
        red[i] = first[0];
        green[i] = first[1];
        blue[i] = second[0];
      }
    }
  });
  return field;
}

at::Tensor noise_batch(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                       std::int64_t width, c10::Device device) {
  if (!device.is_cpu()) {
    return tensor_noise(keys, step, height, width, 0, 0, device);
  }
  std::vector<at::Tensor> fields;
  fields.reserve(keys.size());
  for (const std::uint64_t key : keys) {
    fields.push_back(noise_field(key, step, height, width));
  }
  return at::stack(fields);
}

}  // namespace srdiff
