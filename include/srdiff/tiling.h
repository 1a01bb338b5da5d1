#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace srdiff {

/// Rows top <= y < bottom and columns left <= x < right.
struct Window {
  std::int64_t top = 0;
  std::int64_t bottom = 0;
  std::int64_t left = 0;
  std::int64_t right = 0;
};

/// A window of [N,C,h,w] continued to the right and below by reflection, without its edge pixel
/// twice, as often as it takes. `top` and `left` are at least 0.
at::Tensor reflected_window(const at::Tensor& images, const Window& window);

/// How a picture is cut into tiles of one size. All lengths are low-resolution pixels.
struct TileSize {
  int size = 0;         ///< side of a tile, 0: the picture in one piece
  int overlap = 0;      ///< shared by neighbours, at most half a tile
  bool fitted = false;  ///< tiles have other sides that suit the picture, and at most size² pixels
};

/// Tiles over a picture. They lie a side less the overlap apart from its top left corner on; the
/// last one ends where the picture does, and has more of it in common with those before. The canvas
/// is the picture, continued by reflection to the next multiple of the networks' own; a picture
/// smaller than a tile on one side has tiles of that side. Starts and sides are such multiples, so
/// that a network meets the same grid in a tile as in the whole.
///
/// What overlaps is computed more than once. Fitted tiles have the sides by which the picture is
/// cut evenly, with the fewest pixels in all tiles together. Their sides are at least size / 2 and
/// two overlaps, or the picture's. A row of them has at most the pixels of `row_tiles` tiles, or
/// that height: memory holds rows of tiles (see tiled_image.h).
class TileGrid {
 public:
  static constexpr std::int64_t row_tiles = 10;

  /// `tile` in multiples of `multiple`, or size 0. Throws UsageError on a tile that is not, or an
  /// overlap outside 0 to half of it.
  TileGrid(std::int64_t height, std::int64_t width, TileSize tile, std::int64_t multiple);

  std::int64_t rows() const { return vertical_.count; }
  std::int64_t columns() const { return horizontal_.count; }
  std::int64_t tiles() const { return rows() * columns(); }
  std::int64_t tile_height() const { return vertical_.size; }
  std::int64_t tile_width() const { return horizontal_.size; }
  std::int64_t canvas_height() const { return vertical_.canvas; }
  std::int64_t canvas_width() const { return horizontal_.canvas; }
  /// Where a tile of that row or column begins.
  std::int64_t top(std::int64_t row) const { return vertical_.start(row); }
  std::int64_t left(std::int64_t column) const { return horizontal_.start(column); }
  Window window(std::int64_t row, std::int64_t column) const {
    return {top(row), top(row) + tile_height(), left(column), left(column) + tile_width()};
  }

  /// Each output pixel's share in the blend, [tile_height · scale, tile_width · scale] float32 on
  /// the device.
  /// The shares of all tiles over a pixel add up to 1. In the outer quarter of an overlap a tile's
  /// share is 0, because there the network sees zero padding in place of the picture. Where the
  /// last tile lies over others by more than an overlap, its share is 0 as well.
  at::Tensor shares(std::int64_t row, std::int64_t column, std::int64_t scale,
                    c10::Device device = c10::kCPU) const;

 private:
  /// Tiles along one side.
  struct Axis {
    std::int64_t size = 0;
    std::int64_t step = 0;
    std::int64_t overlap = 0;
    std::int64_t count = 1;
    std::int64_t canvas = 0;

    std::int64_t start(std::int64_t index) const { return std::min(index * step, canvas - size); }
    at::Tensor shares(std::int64_t index, std::int64_t scale) const;
  };

  static Axis axis(std::int64_t length, std::int64_t side, std::int64_t overlap,
                   std::int64_t multiple);
  static std::vector<Axis> even_axes(std::int64_t length, std::int64_t least, std::int64_t overlap,
                                     std::int64_t multiple);
  void fit(std::int64_t height, std::int64_t width, TileSize tile, std::int64_t multiple);

  Axis vertical_;
  Axis horizontal_;
};

}  // namespace srdiff
