#include "srdiff/tiling.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "base/integer_math.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// The positions first <= i < last of a row of n pixels that reflection continues: 0, 1, …, n−1,
/// n−2, …, 0, 1, …; a single pixel is repeated.
at::Tensor reflected_indices(std::int64_t n, std::int64_t first, std::int64_t last) {
  const std::int64_t period = std::max<std::int64_t>(1, 2 * (n - 1));
  const at::Tensor phase = at::arange(first, last, at::kLong).remainder(period);
  return at::minimum(phase, period - phase);
}

/// The part first <= i < last of one dimension, a view where the part lies inside the images.
at::Tensor reflected_part(const at::Tensor& images, std::int64_t dimension, std::int64_t first,
                          std::int64_t last) {
  const std::int64_t n = images.size(dimension);
  return last <= n ? images.slice(dimension, first, last)
                   : images.index_select(dimension,
                                         reflected_indices(n, first, last).to(images.device()));
}

}  // namespace

at::Tensor reflected_window(const at::Tensor& images, const Window& window) {
  return reflected_part(reflected_part(images, 2, window.top, window.bottom), 3, window.left,
                        window.right);
}

TileGrid::TileGrid(std::int64_t height, std::int64_t width, TileSize tile, std::int64_t multiple) {
  if (tile.size < 0 || tile.size % multiple != 0 || tile.overlap % multiple != 0) {
    throw UsageError("tiles of " + std::to_string(tile.size) + " with an overlap of " +
                     std::to_string(tile.overlap) + " pixels are not multiples of " +
                     std::to_string(multiple));
  }
  if (tile.overlap < 0 || tile.overlap > tile.size / 2) {
    throw UsageError("an overlap of " + std::to_string(tile.overlap) +
                     " pixels is outside 0 to half a tile of " + std::to_string(tile.size));
  }
  vertical_ = axis(height, tile, multiple);
  horizontal_ = axis(width, tile, multiple);
}

TileGrid::Axis TileGrid::axis(std::int64_t length, TileSize tile, std::int64_t multiple) {
  Axis axis;
  axis.canvas = round_up(length, multiple);
  if (tile.size == 0 || axis.canvas <= tile.size) {
    axis.size = axis.step = axis.canvas;
    return axis;
  }
  axis.size = tile.size;
  axis.overlap = tile.overlap;
  axis.step = axis.size - axis.overlap;
  axis.count = 1 + divide_up(length - axis.size, axis.step);
  return axis;
}

at::Tensor TileGrid::Axis::shares(std::int64_t index, std::int64_t scale) const {
  at::Tensor shares = at::ones({size * scale}, at::kFloat);
  const std::int64_t shared = overlap * scale;
  // The last tile starts earlier than the others' distance says, to end where the picture does. The
  // pixels by which it is early give it context and nothing to the blend.
  const std::int64_t early = (index * step - start(index)) * scale;
  shares.slice(0, 0, early).zero_();
  if (shared == 0) {
    return shares;
  }
  const std::int64_t blind = shared / 4;
  const at::Tensor rise = (at::arange(shared, at::kFloat) + 0.5 - static_cast<double>(blind))
                              .div(static_cast<double>(shared - 2 * blind))
                              .clamp(0.0, 1.0);
  if (index > 0) {
    shares.slice(0, early, early + shared).copy_(rise);
  }
  if (index + 1 < count) {
    shares.slice(0, size * scale - shared).copy_(1.0 - rise);
  }
  return shares;
}

at::Tensor TileGrid::shares(std::int64_t row, std::int64_t column, std::int64_t scale,
                            c10::Device device) const {
  // The two sides are copied to the device and multiplied there: copies that small do not make the
  // host wait for the device's work, the product would.
  return vertical_.shares(row, scale).to(device).unsqueeze(1) *
         horizontal_.shares(column, scale).to(device).unsqueeze(0);
}

}  // namespace srdiff
