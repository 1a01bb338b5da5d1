#include "engine/cpu/prelu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/simd/vector_width.h"

namespace srdiff::cpu {
namespace {

SRDIFF_EVERY_VECTOR_WIDTH void prelu_pixels(const float* x, const float* weight, float* y,
                                            std::int64_t pixels, std::int64_t channels) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const float value = x[p * channels + c];
      y[p * channels + c] = value > 0.0F ? value : weight[c] * value;
    }
  }
}

}  // namespace

at::Tensor prelu_in_any_layout(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t channels = image_size(x)[1];
  if (!in_blocks(x) || x.scalar_type() != c10::kFloat || weight.scalar_type() != c10::kFloat ||
      (weight.numel() != 1 && weight.numel() != channels)) {
    return at::prelu(from_blocks(x), weight);
  }
  const at::Tensor blocks = x.contiguous();
  const at::Tensor weights = weight.reshape({-1}).expand({channels}).contiguous();
  at::Tensor result = at::empty_like(blocks);
  const std::int64_t block = blocks.size(4);
  const std::int64_t columns = blocks.size(1);
  const auto* from = blocks.data_ptr<float>();
  const auto* slopes = weights.data_ptr<float>();
  auto* to = result.data_ptr<float>();
  const std::int64_t rows = blocks.size(2);
  const std::int64_t row = blocks.size(3) * block;
  at::parallel_for(0, blocks.size(0) * columns * rows, pieces_for_a_thread(row),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t column = i / rows % columns;
                       prelu_pixels(from + i * row, slopes + column * block, to + i * row,
                                    blocks.size(3), block);
                     }
                   });
  return result;
}

}  // namespace srdiff::cpu
