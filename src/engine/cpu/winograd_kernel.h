#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/cpu/simd/register_tile.h"
#include "engine/cpu/simd/vector_math.h"
#include "engine/cpu/winograd_transforms.h"

// The three phases of Winograd's algorithm (convolution_winograd.h) on a group of tiles, for
// vectors and registers of any size.

namespace srdiff::cpu::winograd {

constexpr std::int64_t floats_of_line = 16;  ///< of a cache

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

}  // namespace srdiff::cpu::winograd
