#include "engine/cpu/convolution_direct.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>

#include "base/integer_math.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/channel_padding.h"
#include "engine/cpu/simd/register_tile.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {
namespace {

/// The arguments of one convolution, of an image that is padded already.
struct DirectConvolution {
  const float* x;
  const float* filters;  ///< [panels, C/b, kh, kw, b, panel]
  const float* bias;
  const float* addend;  ///< or null
  float* result;
  std::int64_t input_blocks;
  std::int64_t output_blocks;
  std::int64_t panels;
  std::int64_t image_height;
  std::int64_t image_width;
  std::int64_t height;  ///< of the result
  std::int64_t width;
  std::array<std::int64_t, 2> filter;
  std::array<std::int64_t, 2> stride;
  std::array<std::int64_t, 2> dilation;
};

/// A row of the result, of one image and one panel of outputs.
struct Line {
  std::int64_t image;
  std::int64_t panel;
  std::int64_t y;

  Line(const DirectConvolution& c, std::int64_t i)
      : image(i / c.height / c.panels), panel(i / c.height % c.panels), y(i % c.height) {}
};

/// The loops for one size of vectors and count of registers: sums of a panel of `Vectors` vectors
/// of outputs for `Pixels` pixels are kept in registers.
template <std::int64_t Width, std::int64_t Vectors, std::int64_t Pixels>
struct DirectKernel {
  static constexpr std::int64_t panel = Vectors * Width;

  /// Pixels x to x + Count of a line.
  template <std::int64_t Count>
  static SRDIFF_INLINE void pixels(const DirectConvolution& c, const Line& line, std::int64_t x) {
    RegisterTile<Width, Vectors, Count> sums;
    const float* filter =
        c.filters + line.panel * c.input_blocks * c.filter[0] * c.filter[1] * Width * panel;
    const std::int64_t step = c.stride[1] * Width;
    for (std::int64_t block = 0; block < c.input_blocks; ++block) {
      for (std::int64_t v = 0; v < c.filter[0]; ++v) {
        const std::int64_t row = (line.image * c.input_blocks + block) * c.image_height +
                                 line.y * c.stride[0] + v * c.dilation[0];
        for (std::int64_t u = 0; u < c.filter[1]; ++u) {
          const float* from =
              c.x + (row * c.image_width + x * c.stride[1] + u * c.dilation[1]) * Width;
          for (std::int64_t channel = 0; channel < Width; ++channel, filter += panel) {
            sums.add([&](std::int64_t pixel) { return from[pixel * step + channel]; }, filter);
          }
        }
      }
    }
    for (std::int64_t v = 0; v < Vectors; ++v) {
      const std::int64_t block = line.panel * Vectors + v;
      if (block == c.output_blocks) {
        break;  // the last panel is not full
      }
      Values<Width> bias;
      load(c.bias + block * Width, bias);
      const std::int64_t first =
          (((line.image * c.output_blocks + block) * c.height + line.y) * c.width + x) * Width;
      for (std::int64_t pixel = 0; pixel < Count; ++pixel) {
        Values<Width> value =
            sums.sums[static_cast<std::size_t>(pixel)][static_cast<std::size_t>(v)] + bias;
        if (c.addend != nullptr) {
          Values<Width> other;
          load(c.addend + first + pixel * Width, other);
          value += other;
        }
        store(value, c.result + first + pixel * Width);
      }
    }
  }

  /// Fewer than `Pixels` pixels at the end of a line.
  template <std::int64_t Count = Pixels - 1>
  static SRDIFF_INLINE void last_pixels(const DirectConvolution& c, const Line& line,
                                        std::int64_t x) {
    if constexpr (Count > 0) {
      if (c.width - x == Count) {
        pixels<Count>(c, line, x);
      } else {
        last_pixels<Count - 1>(c, line, x);
      }
    }
  }

  static SRDIFF_INLINE void lines(const DirectConvolution& c, std::int64_t first,
                                  std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) {
      const Line line(c, i);
      std::int64_t x = 0;
      for (; x + Pixels <= c.width; x += Pixels) {
        pixels<Pixels>(c, line, x);
      }
      last_pixels(c, line, x);
    }
  }
};

#ifdef SRDIFF_VECTOR_WIDTHS
using DirectAvx2 = DirectKernel<8, 2, 6>;
using DirectAvx512 = DirectKernel<16, 2, 8>;
#else
using DirectAvx2 = DirectKernel<8, 2, 2>;
using DirectAvx512 = DirectKernel<16, 2, 2>;
#endif

SRDIFF_FOR_AVX2 void lines_avx2(const DirectConvolution& c, std::int64_t first, std::int64_t end) {
  DirectAvx2::lines(c, first, end);
}

SRDIFF_FOR_AVX512 void lines_avx512(const DirectConvolution& c, std::int64_t first,
                                    std::int64_t end) {
  DirectAvx512::lines(c, first, end);
}

bool has_wide_blocks() {
  return channel_block() == 16;
}

std::int64_t outputs_of_panel() {
  return has_wide_blocks() ? DirectAvx512::panel : DirectAvx2::panel;
}

}  // namespace

at::Tensor direct_filters(const at::Tensor& weight) {
  const std::int64_t block = channel_block();
  const std::int64_t panel = outputs_of_panel();
  const std::int64_t panels = divide_up(weight.size(0), panel);
  const at::Tensor exact = weight.to(c10::kFloat);
  const std::array<std::int64_t, 8> by = {0, 0, 0, 0, 0, 0, 0, panels * panel - weight.size(0)};
  return padded(exact, by)
      .reshape({panels, panel, weight.size(1) / block, block, weight.size(2), weight.size(3)})
      .permute({0, 2, 4, 5, 3, 1})
      .contiguous();
}

at::Tensor direct_convolution(const at::Tensor& x, const at::Tensor& filters,
                              at::IntArrayRef weight_size, const at::Tensor& bias,
                              const ConvolutionGeometry& geometry, const at::Tensor& addend) {
  const std::int64_t block = x.size(4);
  const std::vector<std::int64_t> size = convolved_size(image_size(x), weight_size, geometry);
  if (size[2] < 1 || size[3] < 1) {
    return {};
  }
  const auto above = geometry.padding[0];
  const auto before = geometry.padding[1];
  const at::Tensor image = padded(x, {0, 0, before, before, above, above});
  at::Tensor result = at::empty({size[0], size[1] / block, size[2], size[3], block}, x.options());

  DirectConvolution c{};
  c.x = image.data_ptr<float>();
  c.filters = filters.data_ptr<float>();
  c.bias = bias.data_ptr<float>();
  c.addend = addend.defined() ? addend.data_ptr<float>() : nullptr;
  c.result = result.data_ptr<float>();
  c.input_blocks = image.size(1);
  c.output_blocks = result.size(1);
  c.panels = filters.size(0);
  c.image_height = image.size(2);
  c.image_width = image.size(3);
  c.height = size[2];
  c.width = size[3];
  c.filter = {weight_size[2], weight_size[3]};
  c.stride = {geometry.stride[0], geometry.stride[1]};
  c.dilation = {geometry.dilation[0], geometry.dilation[1]};

  const auto run = has_wide_blocks() ? lines_avx512 : lines_avx2;
  const std::int64_t values =
      c.width * filters.numel() / c.panels / block;  // of a line, in vectors
  // Lines of one panel follow each other, so that its filters stay in the cache.
  at::parallel_for(0, size[0] * c.panels * c.height, pieces_for_a_thread(values),
                   [&](std::int64_t begin, std::int64_t end) { run(c, begin, end); });
  return result;
}

}  // namespace srdiff::cpu
