#include "engine/cpu/blocked_layout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#ifdef SRDIFF_ONEDNN
#include <dnnl.hpp>
#endif

namespace srdiff::cpu {
namespace {

/// A row of `Side` floats that shuffles work on.
template <int Side>
using Row = typename Vector<Side>::Floats;

/// Swaps the blocks of Step x Step values on either side of the diagonal of two rows, Step apart.
template <int Side, int Step, int... K>
SRDIFF_INLINE void exchange(Row<Side>& upper, Row<Side>& lower,
                            std::integer_sequence<int, K...> /*columns*/) {
  const Row<Side> a = upper;
  const Row<Side> b = lower;
  upper = __builtin_shufflevector(a, b, ((K & Step) != 0 ? Side + K - Step : K)...);
  lower = __builtin_shufflevector(a, b, ((K & Step) != 0 ? Side + K : K + Step)...);
}

template <int Side, int Step>
SRDIFF_INLINE void exchange_rows(std::array<Row<Side>, Side>& rows) {
  for (std::size_t i = 0; i < Side; ++i) {
    if ((i & Step) == 0) {
      exchange<Side, Step>(rows[i], rows[i + Step], std::make_integer_sequence<int, Side>());
    }
  }
}

/// Transposes Side x Side values, whose rows are `x_row` and `y_row` floats apart.
template <int Side>
SRDIFF_INLINE void transpose(const float* x, std::int64_t x_row, float* y, std::int64_t y_row) {
  std::array<Row<Side>, Side> rows;
  for (std::size_t i = 0; i < Side; ++i) {
    std::memcpy(&rows[i], x + static_cast<std::int64_t>(i) * x_row, sizeof(rows[i]));
  }
  exchange_rows<Side, 1>(rows);
  exchange_rows<Side, 2>(rows);
  exchange_rows<Side, 4>(rows);
  if constexpr (Side == 16) {
    exchange_rows<Side, 8>(rows);
  }
  for (std::size_t i = 0; i < Side; ++i) {
    std::memcpy(y + static_cast<std::int64_t>(i) * y_row, &rows[i], sizeof(rows[i]));
  }
}

/// [Block][pixels] → a column, whose pixels are `step` values apart.
template <int Block>
SRDIFF_INLINE void interleave(const float* x, float* y, std::int64_t pixels, std::int64_t step) {
  const std::int64_t whole = pixels - pixels % Block;
  for (std::int64_t p = 0; p < whole; p += Block) {
    transpose<Block>(x + p, pixels, y + p * step, step);
  }
  for (std::int64_t p = whole; p < pixels; ++p) {
    for (std::int64_t j = 0; j < Block; ++j) {
      y[p * step + j] = x[j * pixels + p];
    }
  }
}

template <int Block>
SRDIFF_INLINE void separate(const float* x, float* y, std::int64_t pixels, std::int64_t step) {
  const std::int64_t whole = pixels - pixels % Block;
  for (std::int64_t p = 0; p < whole; p += Block) {
    transpose<Block>(x + p * step, step, y + p, pixels);
  }
  for (std::int64_t p = whole; p < pixels; ++p) {
    for (std::int64_t j = 0; j < Block; ++j) {
      y[j * pixels + p] = x[p * step + j];
    }
  }
}

#define SRDIFF_LAYOUT_LOOPS(BLOCK)                                                                 \
  SRDIFF_EVERY_VECTOR_WIDTH void interleave_##BLOCK(const float* x, float* y, std::int64_t pixels, \
                                                    std::int64_t step) {                           \
    interleave<BLOCK>(x, y, pixels, step);                                                         \
  }                                                                                                \
  SRDIFF_EVERY_VECTOR_WIDTH void separate_##BLOCK(const float* x, float* y, std::int64_t pixels,   \
                                                  std::int64_t step) {                             \
    separate<BLOCK>(x, y, pixels, step);                                                           \
  }
SRDIFF_LAYOUT_LOOPS(8)
SRDIFF_LAYOUT_LOOPS(16)
#undef SRDIFF_LAYOUT_LOOPS

SRDIFF_EVERY_VECTOR_WIDTH void round_values(const float* x, std::uint16_t* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = bf16_bits(x[i]);
  }
}

/// Calls `change` with where a plain image has each b channels, and where `blocks` has the column.
template <typename Change>
void for_each_column(const at::Tensor& blocks, const Change& change) {
  const Columns columns(blocks);
  const std::int64_t values = columns.pixels * columns.lanes;
  at::parallel_for(0, blocks.size(0) * columns.count, pieces_for_a_thread(values),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t image = i / columns.count * columns.count * values;
                       change(i * values, image + columns.start(i % columns.count));
                     }
                   });
}

}  // namespace

std::vector<std::int64_t> image_size(const at::Tensor& x) {
  const auto size = x.sizes();
  return in_blocks(x) ? std::vector<std::int64_t>{size[0], size[1] * size[4], size[2], size[3]}
                      : size.vec();
}

Columns::Columns(const at::Tensor& blocks)
    : lanes(channel_block()),
      step(blocks.size(4)),
      pixels(blocks.size(2) * blocks.size(3)),
      count(lanes > 0 ? blocks.size(1) * step / lanes : 0) {
  TORCH_CHECK(lanes > 0 && step % lanes == 0 && (step == lanes || blocks.size(1) == 1), "[",
              blocks.sizes(), "] is no image in blocks of ", lanes, " channels or of all");
}

at::Tensor to_blocks(const at::Tensor& image, std::int64_t block) {
  const at::Tensor x = image.contiguous();
  TORCH_CHECK(block > 0 && x.size(1) % block == 0, x.size(1), " channels do not fit blocks of ",
              block);
  at::Tensor blocks =
      at::empty({x.size(0), x.size(1) / block, x.size(2), x.size(3), block}, x.options());
  const Columns columns(blocks);
  const auto loop = columns.lanes == 16 ? interleave_16 : interleave_8;
  const auto* from = x.data_ptr<float>();
  auto* to = blocks.data_ptr<float>();
  for_each_column(blocks, [&](std::int64_t plain, std::int64_t column) {
    loop(from + plain, to + column, columns.pixels, columns.step);
  });
  return blocks;
}

at::Tensor from_blocks(const at::Tensor& x) {
  if (!in_blocks(x)) {
    return x;
  }
  const at::Tensor blocks = x.to(c10::kFloat).contiguous();
  at::Tensor image = at::empty(image_size(x), blocks.options());
  const Columns columns(blocks);
  const auto loop = columns.lanes == 16 ? separate_16 : separate_8;
  const auto* from = blocks.data_ptr<float>();
  auto* to = image.data_ptr<float>();
  for_each_column(blocks, [&](std::int64_t plain, std::int64_t column) {
    loop(from + column, to + plain, columns.pixels, columns.step);
  });
  return image;
}

at::Tensor round_to_bf16(const at::Tensor& blocks) {
  const at::Tensor x = blocks.contiguous();
  at::Tensor rounded = at::empty_like(x, x.options().dtype(c10::kBFloat16));
  const auto* from = x.data_ptr<float>();
  auto* to = static_cast<std::uint16_t*>(rounded.data_ptr());
  at::parallel_for(0, x.numel(), pieces_for_a_thread(1), [&](std::int64_t begin, std::int64_t end) {
    round_values(from + begin, to + begin, end - begin);
  });
  return rounded;
}

namespace {

/// Joins images [N,C/b,H,W,b] along their blocks, with more threads than LibTorch's cat uses.
at::Tensor join_blocks(const std::vector<at::Tensor>& parts) {
  std::int64_t blocks = 0;
  for (const at::Tensor& part : parts) {
    blocks += part.size(1);
  }
  const auto size = parts[0].sizes();
  const std::int64_t values = size[2] * size[3] * size[4];  // of a block
  at::Tensor joined = at::empty({size[0], blocks, size[2], size[3], size[4]}, parts[0].options());
  auto* to = joined.data_ptr<float>();
  at::parallel_for(
      0, size[0] * blocks, pieces_for_a_thread(values), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          std::int64_t block = i % blocks;
          std::size_t part = 0;
          while (block >= parts[part].size(1)) {
            block -= parts[part].size(1);
            ++part;
          }
          const std::int64_t column = i / blocks * parts[part].size(1) + block;
          std::copy_n(parts[part].data_ptr<float>() + column * values, values, to + i * values);
        }
      });
  return joined;
}

/// Joins images [N,1,H,W,C] along each pixel's channels.
at::Tensor join_pixels(const std::vector<at::Tensor>& parts) {
  std::int64_t channels = 0;
  for (const at::Tensor& part : parts) {
    channels += part.size(4);
  }
  const auto size = parts[0].sizes();
  at::Tensor joined = at::empty({size[0], 1, size[2], size[3], channels}, parts[0].options());
  auto* to = joined.data_ptr<float>();
  at::parallel_for(0, size[0] * size[2] * size[3], pieces_for_a_thread(channels),
                   [&](std::int64_t begin, std::int64_t end) {
                     std::int64_t first = 0;
                     for (const at::Tensor& part : parts) {
                       const std::int64_t width = part.size(4);
                       const auto* from = part.data_ptr<float>();
                       for (std::int64_t pixel = begin; pixel < end; ++pixel) {
                         std::copy_n(from + pixel * width, width, to + pixel * channels + first);
                       }
                       first += width;
                     }
                   });
  return joined;
}

}  // namespace

at::Tensor join_channels(at::TensorList images) {
  bool in_blocks_of_b = true;
  bool in_one_block = true;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& image : images) {
    if (image.scalar_type() != c10::kFloat || image.size(0) != images[0].size(0) ||
        image.sizes().slice(2, 2) != images[0].sizes().slice(2, 2)) {
      return {};
    }
    in_blocks_of_b = in_blocks_of_b && image.size(4) == channel_block();
    in_one_block = in_one_block && image.size(1) == 1;
    parts.push_back(image.contiguous());
  }
  if (in_blocks_of_b) {
    return join_blocks(parts);
  }
  return in_one_block ? join_pixels(parts) : at::Tensor();
}

at::Tensor take_channels(const at::Tensor& x, std::int64_t first, std::int64_t count) {
  const std::int64_t block = in_blocks(x) ? x.size(4) : 0;
  if (block > 0 && block == channel_block() && first % block == 0 && count % block == 0) {
    return x.narrow(1, first / block, count / block).contiguous();
  }
  return from_blocks(x).narrow(1, first, count);
}

at::Tensor repeat_pixels(const at::Tensor& blocks, std::int64_t factor) {
  const at::Tensor x = blocks.contiguous();
  const std::int64_t planes = x.size(0) * x.size(1);
  const std::int64_t height = x.size(2);
  const std::int64_t width = x.size(3);
  const std::int64_t block = x.size(4);
  at::Tensor y =
      at::empty({x.size(0), x.size(1), height * factor, width * factor, block}, x.options());
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto row = static_cast<std::size_t>(width * factor * block);
  const std::int64_t grain = pieces_for_a_thread(width * block);
  at::parallel_for(0, planes * height, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* pixel = from + i * width * block;
      float* const first = to + static_cast<std::size_t>(i * factor) * row;
      float* out = first;
      for (std::int64_t column = 0; column < width; ++column, pixel += block) {
        for (std::int64_t k = 0; k < factor; ++k, out += block) {
          std::copy_n(pixel, block, out);
        }
      }
      for (std::int64_t k = 1; k < factor; ++k) {
        std::memcpy(first + static_cast<std::size_t>(k) * row, first, row * sizeof(float));
      }
    }
  });
  return y;
}

at::Tensor interleave_phases(const at::Tensor& blocks) {
  const at::Tensor x = blocks.contiguous();
  const std::int64_t images = x.size(0);
  const std::int64_t height = x.size(2) - 1;
  const std::int64_t width = x.size(3) - 1;
  const std::int64_t channels = x.size(1) * x.size(4) / 4;
  const bool all_in_one = x.size(1) == 1;
  const std::int64_t block = all_in_one ? channels : x.size(4);
  TORCH_CHECK(x.size(1) * x.size(4) % 4 == 0 && channels % block == 0, "[", blocks.sizes(),
              "] holds no four images in blocks");
  const std::int64_t columns = channels / block;
  at::Tensor y = at::empty({images, columns, 2 * height, 2 * width, block}, x.options());
  const std::int64_t pixel = x.size(4);
  const std::int64_t row = x.size(3) * pixel;
  // From one image of a column to the next.
  const std::int64_t phase = all_in_one ? block : columns * x.size(2) * row;
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  at::parallel_for(0, images * columns * 2 * height, pieces_for_a_thread(2 * width * block),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t line = i % (2 * height);
                       const std::int64_t column = i / (2 * height) % columns;
                       const std::int64_t image = i / (2 * height) / columns;
                       const std::int64_t below = line % 2;
                       const float* left = from + image * x.stride(0) + column * x.stride(1) +
                                           2 * below * phase + (line / 2 + below) * row;
                       const float* right = left + phase + pixel;
                       float* out = to + i * 2 * width * block;
                       for (std::int64_t j = 0; j < width; ++j, out += 2 * block) {
                         std::copy_n(left + j * pixel, block, out);
                         std::copy_n(right + j * pixel, block, out + block);
                       }
                     }
                   });
  return y;
}

#ifdef SRDIFF_ONEDNN

std::int64_t channel_block() {
  static const std::int64_t block = [] {
    switch (dnnl::get_effective_cpu_isa()) {
      case dnnl::cpu_isa::avx2:
      case dnnl::cpu_isa::avx2_vnni:
        return 8;
      case dnnl::cpu_isa::sse41:
      case dnnl::cpu_isa::avx:
        return 0;
      default:
        return 16;
    }
  }();
  return block;
}

#else

std::int64_t channel_block() {
  static const std::int64_t block = [] {
    // LibTorch's own environment variable for its kernels.
    const char* const given = std::getenv("ATEN_CPU_CAPABILITY");  // NOLINT(concurrency-mt-unsafe)
    const std::string most = given != nullptr ? given : "avx512";
#if defined(__x86_64__) && defined(__GNUC__)
    if (most == "avx512" && __builtin_cpu_supports("avx512f") != 0) {
      return 16;
    }
    if (most.rfind("avx", 0) == 0 && __builtin_cpu_supports("avx2") != 0 &&
        __builtin_cpu_supports("fma") != 0) {
      return 8;
    }
#elif defined(__aarch64__) && defined(__GNUC__)
    if (most != "default") {
      return 8;  // two vectors of NEON, which every such processor has
    }
#endif
    return 0;
  }();
  return block;
}

#endif

}  // namespace srdiff::cpu
