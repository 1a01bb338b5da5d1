#include "engine/cpu/noise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/philox.h"

namespace srdiff::cpu {

at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                 std::int64_t width, std::int64_t y0, std::int64_t x0) {
  const auto count = static_cast<std::int64_t>(keys.size());
  at::Tensor result = at::empty({count, 3, height, width}, at::kFloat);
  const std::int64_t plane = height * width;
  auto* const values = result.data_ptr<float>();
  constexpr std::int64_t rows_per_task = 16;
  at::parallel_for(0, count * height, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t image = row / height;
      const std::int64_t y = row % height;
      const std::uint64_t key = keys[static_cast<std::size_t>(image)];
      float* red = values + 3 * image * plane + y * width;
      for (std::int64_t x = 0; x < width; ++x, ++red) {
        const PhiloxWords counter = {{static_cast<std::uint32_t>(x0 + x),
                                      static_cast<std::uint32_t>(y0 + y),
                                      static_cast<std::uint32_t>(step), 0}};
        const PixelNoise pixel = pixel_noise(philox_words(counter, static_cast<std::uint32_t>(key),
                                                          static_cast<std::uint32_t>(key >> 32)));
        red[0] = pixel.red;
        red[plane] = pixel.green;
        red[2 * plane] = pixel.blue;
      }
    }
  });
  return result;
}

}  // namespace srdiff::cpu
