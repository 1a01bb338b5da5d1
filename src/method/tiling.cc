#include "srdiff/tiling.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

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
  if (tile.fitted && tile.size > 0) {
    fit(height, width, tile, multiple);
    return;
  }
  vertical_ = axis(height, tile.size, tile.overlap, multiple);
  horizontal_ = axis(width, tile.size, tile.overlap, multiple);
}

/// Tiles of a side along a length; 0: one.
TileGrid::Axis TileGrid::axis(std::int64_t length, std::int64_t side, std::int64_t overlap,
                              std::int64_t multiple) {
  Axis axis;
  axis.canvas = round_up(length, multiple);
  if (side == 0 || axis.canvas <= side) {
    axis.size = axis.step = axis.canvas;
    return axis;
  }
  axis.size = side;
  axis.overlap = overlap;
  axis.step = axis.size - axis.overlap;
  axis.count = 1 + divide_up(length - axis.size, axis.step);
  return axis;
}

/// One tile along a length, two, three and so on, each as short as so many can be, down to sides
/// of `least`.
std::vector<TileGrid::Axis> TileGrid::even_axes(std::int64_t length, std::int64_t least,
                                                std::int64_t overlap, std::int64_t multiple) {
  const std::int64_t canvas = round_up(length, multiple);
  std::vector<Axis> axes = {axis(length, 0, 0, multiple)};
  for (std::int64_t count = 2; axes.back().size > least; ++count) {
    const std::int64_t even = divide_up(canvas + (count - 1) * overlap, count);
    axes.push_back(axis(length, std::max(round_up(even, multiple), least), overlap, multiple));
  }
  return axes;
}

/// Of each height that a tile may have and the greatest width with it, takes the pair that computes
/// the fewest pixels; of several such pairs the one of the fewest tiles.
void TileGrid::fit(std::int64_t height, std::int64_t width, TileSize tile, std::int64_t multiple) {
  const std::int64_t most = std::int64_t{tile.size} * tile.size;
  const std::int64_t least = round_up(
      std::max<std::int64_t>(divide_up(tile.size, 2), std::int64_t{2} * tile.overlap), multiple);
  const std::vector<Axis> widths = even_axes(width, least, tile.overlap, multiple);
  const std::int64_t highest = std::max(least, row_tiles * most / widths.front().canvas);
  std::pair<std::int64_t, std::int64_t> best = {std::numeric_limits<std::int64_t>::max(), 0};
  for (const Axis& vertical : even_axes(height, least, tile.overlap, multiple)) {
    const auto horizontal = std::find_if(widths.begin(), widths.end(), [&](const Axis& axis) {
      return axis.size <= most / vertical.size;
    });
    if (vertical.size > highest || horizontal == widths.end()) {
      continue;
    }
    const std::int64_t tiles = vertical.count * horizontal->count;
    const std::pair cost = {tiles * vertical.size * horizontal->size, tiles};
    if (cost < best) {
      best = cost;
      vertical_ = vertical;
      horizontal_ = *horizontal;
    }
  }
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
