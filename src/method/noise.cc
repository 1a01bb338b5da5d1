#include "srdiff/noise.h"

#include <ATen/ATen.h>

#include "base/philox.h"
#include "base/sha256.h"
#include "engine/backend.h"

namespace srdiff {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
  const PhiloxWords result =
      philox_words({{counter[0], counter[1], counter[2], counter[3]}}, key[0], key[1]);
  return {result.words[0], result.words[1], result.words[2], result.words[3]};
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

std::uint64_t pass_noise_key(std::uint64_t key, int pass) {
  if (pass == 0) {
    return key;
  }
  Sha256 hash;
  hash.update_u64(key);
  hash.update_u64(static_cast<std::uint64_t>(pass));
  return hash.first_u64();
}

at::Tensor noise_field(std::uint64_t key, int step, std::int64_t height, std::int64_t width,
                       std::int64_t y0, std::int64_t x0, c10::Device device) {
  return backend_for(device).noise({key}, step, height, width, y0, x0)[0];
}

at::Tensor noise_batch(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                       std::int64_t width, c10::Device device) {
  return backend_for(device).noise(keys, step, height, width, 0, 0);
}

}  // namespace srdiff
