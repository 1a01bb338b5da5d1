#include "engine/cpu/convolution_winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/integer_math.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/simd/register_tile.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff {
namespace {

constexpr std::int64_t side = 6;              ///< pixels of the image below a tile, a direction
constexpr std::int64_t tile_step = 4;         ///< pixels of a tile, a direction
constexpr std::int64_t points = side * side;  ///< products of each pair of channels
constexpr std::int64_t filter_side = 3;
constexpr std::int64_t floats_of_line = 16;  ///< of a cache

/// Tiles that one thread takes from the image to the result at most: their values stay in its
/// second cache, and the filters, which do not, are read once for all of them.
constexpr std::int64_t most_tiles_of_group = 32;

/// Threads that would have fewer each share all tiles.
constexpr std::int64_t least_tiles_of_group = 16;

/// Channels of the image that are transformed and multiplied at once, for the same reason.
constexpr std::int64_t inputs_of_piece = 128;

/// The polynomials behind the transforms are evaluated at 0, ±p, ±q and infinity. With 5/8 and 3/2
/// rounding errors were half of those with the usual 1 and 2, measured; other pairs near them were
/// no better.
struct At {
  static constexpr double p = 0.625;
  static constexpr double q = 1.5;
};

constexpr float to_float(double x) {
  return static_cast<float>(x);
}

/// Bᵀ d of six vectors to six, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_input(const Floats* d, Floats* result, std::int64_t step_out) {
  constexpr double p = At::p;
  constexpr double q = At::q;
  constexpr float pp = to_float(p * p);
  constexpr float qq = to_float(q * q);
  constexpr float product = to_float(p * p * q * q);
  constexpr float sum = to_float(p * p + q * q);
  result[0] = d[0] * product - d[2] * sum + d[4];
  const Floats even_p = d[4] - d[2] * qq;
  const Floats odd_p = (d[3] - d[1] * qq) * to_float(p);
  result[step_out] = even_p + odd_p;
  result[2 * step_out] = even_p - odd_p;
  const Floats even_q = d[4] - d[2] * pp;
  const Floats odd_q = (d[3] - d[1] * pp) * to_float(q);
  result[3 * step_out] = even_q + odd_q;
  result[4 * step_out] = even_q - odd_q;
  result[5 * step_out] = d[1] * product - d[3] * sum + d[5];
}

/// Aᵀ m of six vectors to four, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_output(const Floats* m, Floats* result, std::int64_t step_out) {
  constexpr double p = At::p;
  constexpr double q = At::q;
  const Floats even_p = m[1] + m[2];
  const Floats odd_p = m[1] - m[2];
  const Floats even_q = m[3] + m[4];
  const Floats odd_q = m[3] - m[4];
  result[0] = m[0] + even_p + even_q;
  result[step_out] = odd_p * to_float(p) + odd_q * to_float(q);
  result[2 * step_out] = even_p * to_float(p * p) + even_q * to_float(q * q);
  result[3 * step_out] = odd_p * to_float(p * p * p) + odd_q * to_float(q * q * q) + m[5];
}

/// G g of three vectors, `step_in` apart, to six, `step_out` apart.
template <typename Floats>
SRDIFF_INLINE void transform_filter(const Floats* g, std::int64_t step_in, Floats* result,
                                    std::int64_t step_out) {
  constexpr double p = At::p;
  constexpr double q = At::q;
  constexpr double of_p = 1.0 / (2.0 * p * p * (p * p - q * q));
  constexpr double of_q = 1.0 / (2.0 * q * q * (q * q - p * p));
  const Floats& first = g[0];
  const Floats& second = g[step_in];
  const Floats& third = g[2 * step_in];
  result[0] = first * to_float(1.0 / (p * p * q * q));
  const Floats even_p = first * to_float(of_p) + third * to_float(p * p * of_p);
  const Floats odd_p = second * to_float(p * of_p);
  result[step_out] = even_p + odd_p;
  result[2 * step_out] = even_p - odd_p;
  const Floats even_q = first * to_float(of_q) + third * to_float(q * q * of_q);
  const Floats odd_q = second * to_float(q * of_q);
  result[3 * step_out] = even_q + odd_q;
  result[4 * step_out] = even_q - odd_q;
  result[5 * step_out] = third;
}

/// A convolution at work. All images are in blocks; `panel` outputs are multiplied at once.
struct Convolution {
  const float* x;
  const float* filters;  ///< [points, panels, inputs, panel]
  const float* bias;
  const float* addend;  ///< or null
  float* result;
  std::int64_t inputs;
  std::int64_t outputs;
  std::int64_t panels;
  std::int64_t height;  ///< of the result
  std::int64_t width;
  std::int64_t tile_rows;
  std::int64_t tile_columns;
  std::int64_t doublings;  ///< of the image: 0 or 1

  std::int64_t tiles_of_image() const { return tile_rows * tile_columns; }
  std::int64_t pixels_of_image() const { return (height >> doublings) * (width >> doublings); }
};

/// Some tiles of it and some channels of the image, and where their values are between the
/// transforms.
struct Group {
  std::int64_t first;
  std::int64_t count;
  std::int64_t first_input;
  std::int64_t inputs;
  float* d;             ///< [points, inputs/b, count, b], transformed
  float* m;             ///< [points, panels, count, panel], the products' sums
  std::int64_t d_step;  ///< from one point to the next
  std::int64_t m_step;
};

/// Where a tile is: the image, and its first row and column of the result.
struct Place {
  std::int64_t image;
  std::int64_t top;
  std::int64_t left;

  Place(const Convolution& convolution, std::int64_t tile)
      : image(tile / convolution.tiles_of_image()),
        top(tile % convolution.tiles_of_image() / convolution.tile_columns * tile_step),
        left(tile % convolution.tile_columns * tile_step) {}

  /// The next tile's, without the divisions: for each tile they took an eighth of a transform.
  void advance(const Convolution& convolution) {
    left += tile_step;
    if (left >= convolution.width) {
      left = 0;
      top += tile_step;
    }
    if (top >= convolution.height) {
      top = 0;
      ++image;
    }
  }
};

/// What the processor's vectors and registers allow: `Vectors` vectors of outputs for `Rows` tiles
/// are summed at once.
template <std::int64_t Width, std::int64_t Vectors, std::int64_t Rows>
struct WinogradKernel {
  using Floats = Values<Width>;
  static constexpr std::int64_t panel = Vectors * Width;

  /// The pixels below a tile, zeros in the place of those outside the image.
  struct Pixels {
    std::array<const float*, side> rows;     ///< null outside
    std::array<std::int64_t, side> columns;  ///< from the row's beginning; negative outside

    SRDIFF_INLINE Pixels(const Convolution& c, const Place& place, std::int64_t block) {
      const std::int64_t image_width = c.width >> c.doublings;
      const float* image =
          c.x + (place.image * (c.inputs / Width) + block) * c.pixels_of_image() * Width;
#pragma GCC unroll 6
      for (std::size_t i = 0; i < side; ++i) {
        const std::int64_t y = place.top - 1 + static_cast<std::int64_t>(i);
        const std::int64_t x = place.left - 1 + static_cast<std::int64_t>(i);
        rows[i] =
            y >= 0 && y < c.height ? image + (y >> c.doublings) * image_width * Width : nullptr;
        columns[i] = x >= 0 && x < c.width ? (x >> c.doublings) * Width : -1;
      }
    }

    SRDIFF_INLINE void read(std::size_t y, std::size_t x, Floats& pixel) const {
      static constexpr std::array<float, Width> zeros{};
      const bool inside = rows[y] != nullptr && columns[x] >= 0;
      load(inside ? rows[y] + columns[x] : zeros.data(), pixel);
    }
  };

  /// Bᵀ d B of the group's tiles `first` to `end`.
  static SRDIFF_INLINE void transform_inputs(const Convolution& c, const Group& group,
                                             std::int64_t first, std::int64_t end) {
    const Place first_place(c, group.first + first);
    std::array<Floats, points> rows;
    // Tile by tile within a block: what is read next lies beside what was read last.
    for (std::int64_t input = 0; input < group.inputs; input += Width) {
      Place place = first_place;
      for (std::int64_t tile = first; tile < end; ++tile, place.advance(c)) {
        const Pixels pixels(c, place, (group.first_input + input) / Width);
#pragma GCC unroll 6
        for (std::size_t x = 0; x < side; ++x) {
          std::array<Floats, side> column;
#pragma GCC unroll 6
          for (std::size_t y = 0; y < side; ++y) {
            pixels.read(y, x, column[y]);
          }
          transform_input(column.data(), rows.data() + x, side);
        }
        float* to = group.d + input * group.count + tile * Width;
#pragma GCC unroll 6
        for (std::int64_t y = 0; y < side; ++y) {
          std::array<Floats, side> row;
          transform_input(rows.data() + y * side, row.data(), 1);
#pragma GCC unroll 6
          for (std::int64_t x = 0; x < side; ++x) {
            store(row[static_cast<std::size_t>(x)], to + (y * side + x) * group.d_step);
          }
        }
      }
    }
  }

  /// m = d · filters of `Count` tiles and one panel of outputs, or, with `More`, that added to m.
  /// `next` is what will be read next, as far as there are lines of the cache for each channel: a
  /// processor's own guesses end with a page.
  template <std::int64_t Count, bool More>
  static SRDIFF_INLINE void product(const Group& group, const float* d, const float* filters,
                                    const float* next, float* m) {
    RegisterTile<Width, Vectors, Count> sums;
    if constexpr (More) {
#pragma GCC unroll 12
      for (std::int64_t tile = 0; tile < Count; ++tile) {
        sums.read(tile, m + tile * panel);
      }
    }
    for (std::int64_t input = 0; input < group.inputs; input += Width) {
      const float* x = d + input * group.count;
      for (std::int64_t channel = 0; channel < Width; ++channel, ++x) {
        __builtin_prefetch(next, 0, 2);
        sums.add([&](std::int64_t tile) { return x[tile * Width]; }, filters);
        next += floats_of_line;
        filters += panel;
      }
    }
#pragma GCC unroll 12
    for (std::int64_t tile = 0; tile < Count; ++tile) {
      sums.write(tile, m + tile * panel);
    }
  }

  /// The same of fewer than `Rows` tiles.
  template <bool More, std::int64_t Count = Rows - 1>
  static SRDIFF_INLINE void last_product(std::int64_t count, const Group& group, const float* d,
                                         const float* filters, const float* next, float* m) {
    if constexpr (Count > 0) {
      if (count == Count) {
        product<Count, More>(group, d, filters, next, m);
      } else {
        last_product<More, Count - 1>(count, group, d, filters, next, m);
      }
    }
  }

  /// The same of all tiles.
  template <bool More>
  static SRDIFF_INLINE void products(const Group& group, const float* d, const float* filters,
                                     const float* next, float* m) {
    std::int64_t tile = 0;
    for (; tile + Rows <= group.count; tile += Rows) {
      product<Rows, More>(group, d + tile * Width, filters, next, m + tile * panel);
      next += group.inputs * floats_of_line;
    }
    last_product<More>(group.count - tile, group, d + tile * Width, filters, next,
                       m + tile * panel);
  }

  /// Products `first` to `end` of the group, counted over points and panels.
  static SRDIFF_INLINE void multiply(const Convolution& c, const Group& group, std::int64_t first,
                                     std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) {
      const float* d = group.d + i / c.panels * group.d_step;
      const float* filters = c.filters + (i * c.inputs + group.first_input) * panel;
      const float* next = filters + c.inputs * panel;  // behind the last panel it is never read
      float* m = group.m + i / c.panels * group.m_step + i % c.panels * group.count * panel;
      if (group.first_input > 0) {
        products<true>(group, d, filters, next, m);
      } else {
        products<false>(group, d, filters, next, m);
      }
    }
  }

  /// Aᵀ m A of the group's tiles `first` to `end`, with the bias and the addend.
  static SRDIFF_INLINE void transform_outputs(const Convolution& c, const Group& group,
                                              std::int64_t first, std::int64_t end) {
    const Place first_place(c, group.first + first);
    std::array<Floats, tile_step * side> rows;
    std::array<Floats, tile_step * tile_step> tile_values;
    for (std::int64_t block = 0; block < c.outputs / Width; ++block) {
      Place place = first_place;
      for (std::int64_t tile = first; tile < end; ++tile, place.advance(c)) {
        const std::int64_t height = std::min(tile_step, c.height - place.top);
        const std::int64_t width = std::min(tile_step, c.width - place.left);
        const float* from =
            group.m + (block / Vectors * group.count + tile) * panel + block % Vectors * Width;
#pragma GCC unroll 6
        for (std::int64_t x = 0; x < side; ++x) {
          std::array<Floats, side> column;
#pragma GCC unroll 6
          for (std::int64_t y = 0; y < side; ++y) {
            load(from + (y * side + x) * group.m_step, column[static_cast<std::size_t>(y)]);
          }
          transform_output(column.data(), rows.data() + x, side);
        }
        Floats bias;
        load(c.bias + block * Width, bias);
#pragma GCC unroll 4
        for (std::int64_t y = 0; y < tile_step; ++y) {
          Floats* row = tile_values.data() + y * tile_step;
          transform_output(rows.data() + y * side, row, 1);
#pragma GCC unroll 4
          for (std::int64_t x = 0; x < tile_step; ++x) {
            row[x] += bias;
          }
        }
        const std::int64_t at =
            (((place.image * (c.outputs / Width) + block) * c.height + place.top) * c.width +
             place.left) *
            Width;
        for (std::int64_t y = 0; y < height; ++y) {
          for (std::int64_t x = 0; x < width; ++x) {
            Floats& value = tile_values[static_cast<std::size_t>(y * tile_step + x)];
            const std::int64_t pixel = at + (y * c.width + x) * Width;
            if (c.addend != nullptr) {
              Floats other;
              load(c.addend + pixel, other);
              value += other;
            }
            store(value, c.result + pixel);
          }
        }
      }
    }
  }

  /// Of channels `first` to `end`, counted over panels and inputs: from [inputs, 3, 3, outputs].
  static SRDIFF_INLINE void transform_filters(const Convolution& c, const float* filters, float* to,
                                              std::int64_t first, std::int64_t end) {
    constexpr std::int64_t taps = filter_side * filter_side;
    const std::int64_t point_step = c.panels * c.inputs * panel;
    for (std::int64_t i = first; i < end; ++i) {
      for (std::int64_t v = 0; v < Vectors; ++v) {
        const std::int64_t output = i / c.inputs * panel + v * Width;
        std::array<Floats, taps> filter{};
        if (output < c.outputs) {
          for (std::int64_t tap = 0; tap < taps; ++tap) {
            load(filters + (i % c.inputs * taps + tap) * c.outputs + output,
                 filter[static_cast<std::size_t>(tap)]);
          }
        }
        std::array<Floats, side * filter_side> columns;
        for (std::int64_t x = 0; x < filter_side; ++x) {
          transform_filter(filter.data() + x, filter_side, columns.data() + x, filter_side);
        }
        for (std::int64_t y = 0; y < side; ++y) {
          std::array<Floats, side> row;
          transform_filter(columns.data() + y * filter_side, 1, row.data(), 1);
          for (std::int64_t x = 0; x < side; ++x) {
            store(row[static_cast<std::size_t>(x)],
                  to + (y * side + x) * point_step + i * panel + v * Width);
          }
        }
      }
    }
  }
};

/// What is done with a group, over ranges that threads may share.
enum class Phase { transform_inputs, multiply, transform_outputs };

template <typename Of>
SRDIFF_INLINE void run_phase(Phase phase, const Convolution& c, const Group& group,
                             std::int64_t first, std::int64_t end) {
  switch (phase) {
    case Phase::transform_inputs:
      return Of::transform_inputs(c, group, first, end);
    case Phase::multiply:
      return Of::multiply(c, group, first, end);
    case Phase::transform_outputs:
      return Of::transform_outputs(c, group, first, end);
  }
}

/// A kernel compiled for one kind of processor. Every phase is one function wherever it is called
/// from, so that it always rounds alike.
struct Loops {
  std::int64_t panel;
  void (*run)(Phase phase, const Convolution& c, const Group& group, std::int64_t first,
              std::int64_t end);
  void (*transform_filters)(const Convolution& c, const float* filters, float* to,
                            std::int64_t first, std::int64_t end);
};

#ifdef SRDIFF_VECTOR_WIDTHS
using WinogradAvx2 = WinogradKernel<8, 2, 6>;
using WinogradAvx512 = WinogradKernel<16, 2, 12>;
#else
using WinogradAvx2 = WinogradKernel<8, 1, 4>;
using WinogradAvx512 = WinogradKernel<16, 1, 2>;
#endif

SRDIFF_FOR_AVX2 void run_phase_avx2(Phase phase, const Convolution& c, const Group& group,
                                    std::int64_t first, std::int64_t end) {
  run_phase<WinogradAvx2>(phase, c, group, first, end);
}

SRDIFF_FOR_AVX512 void run_phase_avx512(Phase phase, const Convolution& c, const Group& group,
                                        std::int64_t first, std::int64_t end) {
  run_phase<WinogradAvx512>(phase, c, group, first, end);
}

SRDIFF_FOR_AVX2 void filters_avx2(const Convolution& c, const float* filters, float* to,
                                  std::int64_t first, std::int64_t end) {
  WinogradAvx2::transform_filters(c, filters, to, first, end);
}

SRDIFF_FOR_AVX512 void filters_avx512(const Convolution& c, const float* filters, float* to,
                                      std::int64_t first, std::int64_t end) {
  WinogradAvx512::transform_filters(c, filters, to, first, end);
}

/// That of the vectors that images' blocks fill.
Loops loops() {
  return channel_block() == 16 ? Loops{WinogradAvx512::panel, run_phase_avx512, filters_avx512}
                               : Loops{WinogradAvx2::panel, run_phase_avx2, filters_avx2};
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<float, Free>;

/// Room for so many values, in huge pages where the system has them: a phase jumps between more
/// pages of 4 kB than a processor has translations at hand, and took twice as long.
Memory in_huge_pages(std::int64_t values) {
  constexpr std::int64_t huge_page = 1 << 21;
  const auto bytes = static_cast<std::size_t>(
      round_up(values * static_cast<std::int64_t>(sizeof(float)), huge_page));
  Memory memory(static_cast<float*>(std::aligned_alloc(huge_page, bytes)));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
#ifdef MADV_HUGEPAGE
  madvise(memory.get(), bytes, MADV_HUGEPAGE);  // where it is refused, all is well, and slower
#endif
  return memory;
}

/// Room for so many values, of any content, that is kept for the thread's next call.
float* scratch_of_this_thread(std::int64_t values) {
  thread_local Memory memory;
  thread_local std::int64_t size = 0;
  if (values > size) {
    memory = in_huge_pages(values);
    size = values;
  }
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is no longer what `memory` has
  return memory.get();
}

std::int64_t tiles_along(std::int64_t pixels) {
  return divide_up(pixels, tile_step);
}

}  // namespace

bool suits_winograd(const std::vector<std::int64_t>& result, std::int64_t inputs) {
  constexpr std::int64_t tiles = 16;
  constexpr std::int64_t channels = 32;
  return result[0] * tiles_along(result[2]) * tiles_along(result[3]) >= tiles &&
         result[1] >= channels && inputs >= channels;
}

at::Tensor winograd_filters(const at::Tensor& weight) {
  const Loops own = loops();
  Convolution c{};
  c.outputs = weight.size(0);
  c.inputs = weight.size(1);
  c.panels = divide_up(c.outputs, own.panel);
  const at::Tensor from = at::empty({c.inputs, filter_side, filter_side, c.outputs}, at::kFloat);
  from.copy_(weight.permute({1, 2, 3, 0}));
  at::Tensor to = at::empty({points * c.panels * c.inputs * own.panel}, from.options());
  const auto* from_data = from.data_ptr<float>();
  auto* to_data = to.data_ptr<float>();
  at::parallel_for(0, c.panels * c.inputs, pieces_for_a_thread(points * own.panel),
                   [&](std::int64_t begin, std::int64_t end) {
                     own.transform_filters(c, from_data, to_data, begin, end);
                   });
  return to;
}

namespace {

Convolution convolution_of(const at::Tensor& x, const at::Tensor& filters,
                           const WinogradInputs& inputs, std::int64_t panel) {
  Convolution c{};
  c.x = x.data_ptr<float>();
  c.filters = filters.data_ptr<float>();
  c.bias = inputs.bias.data_ptr<float>();
  c.addend = inputs.addend.defined() ? inputs.addend.data_ptr<float>() : nullptr;
  c.inputs = x.size(1) * x.size(4);
  c.outputs = inputs.outputs;
  c.panels = divide_up(c.outputs, panel);
  c.doublings = inputs.enlarges ? 1 : 0;
  c.height = x.size(2) << c.doublings;
  c.width = x.size(3) << c.doublings;
  c.tile_rows = tiles_along(c.height);
  c.tile_columns = tiles_along(c.width);
  return c;
}

/// How tiles are divided among threads. What comes out is the same however it is done.
struct Division {
  std::int64_t tiles;  ///< of all images
  std::int64_t groups;
  std::int64_t tiles_of_group;
  /// Threads share one group, of all tiles, and wait for each other between the phases.
  bool in_common;

  explicit Division(std::int64_t of_tiles) : tiles(of_tiles) {
    const std::int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
    in_common = threads > 1 && tiles < threads * least_tiles_of_group;
    // As many for each thread.
    groups = in_common ? 1 : threads * divide_up(tiles, threads * most_tiles_of_group);
    tiles_of_group = divide_up(tiles, groups);
    groups = divide_up(tiles, tiles_of_group);
  }
};

}  // namespace

at::Tensor winograd_convolution(const at::Tensor& x, const at::Tensor& filters,
                                const WinogradInputs& inputs) {
  const Loops own = loops();
  Convolution c = convolution_of(x, filters, inputs, own.panel);
  at::Tensor result =
      at::empty({x.size(0), c.outputs / x.size(4), c.height, c.width, x.size(4)}, x.options());
  c.result = result.data_ptr<float>();

  const Division division(x.size(0) * c.tiles_of_image());
  const std::int64_t inputs_at_once = std::min(c.inputs, inputs_of_piece);
  // A vector more than there is: powers of two fall into the same lines of a cache.
  const std::int64_t d_step = division.tiles_of_group * inputs_at_once + x.size(4);
  const std::int64_t m_step = division.tiles_of_group * c.panels * own.panel + x.size(4);
  // A phase is run by `run(phase, group, how many there are to share)`.
  const auto compute = [&](std::int64_t i, const auto& run) {
    Group group{};
    group.first = i * division.tiles_of_group;
    group.count = std::min(division.tiles - group.first, division.tiles_of_group);
    group.d_step = d_step;
    group.m_step = m_step;
    group.d = scratch_of_this_thread(points * (d_step + m_step));
    group.m = group.d + points * d_step;
    for (; group.first_input < c.inputs; group.first_input += group.inputs) {
      group.inputs = std::min(c.inputs - group.first_input, inputs_at_once);
      run(Phase::transform_inputs, group, group.count);
      run(Phase::multiply, group, points * c.panels);
    }
    run(Phase::transform_outputs, group, group.count);
  };
  if (division.in_common) {
    compute(0, [&](Phase phase, const Group& group, std::int64_t count) {
      at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
        own.run(phase, c, group, begin, end);
      });
    });
    return result;
  }
  at::parallel_for(0, division.groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      compute(i, [&](Phase phase, const Group& group, std::int64_t count) {
        own.run(phase, c, group, 0, count);
      });
    }
  });
  return result;
}

}  // namespace srdiff
