#include "srdiff/tiling.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "srdiff/error.h"

namespace srdiff {
namespace {

at::Tensor ramp(std::int64_t h, std::int64_t w) {
  return at::arange(h * w, at::kFloat).reshape({1, 1, h, w});
}

TEST(ReflectedWindow, IsReflectionPaddingWhereThatIsDefined) {
  const at::Tensor image = ramp(5, 7);
  const at::Tensor padded = at::reflection_pad2d(image, {0, 2, 0, 3});
  EXPECT_TRUE(at::equal(reflected_window(image, {0, 8, 0, 9}), padded));
  EXPECT_TRUE(
      at::equal(reflected_window(image, {3, 7, 1, 9}), padded.slice(2, 3, 7).slice(3, 1, 9)));
  const at::Tensor pixel = at::full({1, 1, 1, 1}, 0.25);
  EXPECT_TRUE(at::equal(reflected_window(pixel, {0, 3, 0, 2}), at::full({1, 1, 3, 2}, 0.25)));
  EXPECT_TRUE(at::equal(reflected_window(image, {0, 5, 0, 7}), image));
}

TEST(ReflectedWindow, GoesOnForAsLongAsItTakes) {
  const at::Tensor image = at::tensor({1.F, 2.F, 3.F, 4.F}).reshape({1, 1, 2, 2});
  EXPECT_TRUE(at::equal(reflected_window(image, {0, 1, 0, 6})[0][0][0],
                        at::tensor({1.F, 2.F, 1.F, 2.F, 1.F, 2.F})));
}

TEST(TileGrid, APictureThatFitsIsOneTileOfItsOwnSize) {
  const TileGrid grid(30, 17, {32, 8}, 4);
  EXPECT_EQ(grid.tiles(), 1);
  EXPECT_EQ(grid.tile_height(), 32);
  EXPECT_EQ(grid.tile_width(), 20);
  EXPECT_TRUE(at::equal(grid.shares(0, 0, 2), at::ones({64, 40})));
}

TEST(TileGrid, SizeZeroIsThePictureInOnePiece) {
  const TileGrid grid(1000, 333, {0, 0}, 4);
  EXPECT_EQ(grid.tiles(), 1);
  EXPECT_EQ(grid.canvas_height(), 1000);
  EXPECT_EQ(grid.canvas_width(), 336);
}

TEST(TileGrid, TilesOfOneSizeCoverThePicture) {
  for (const std::int64_t length : {33, 56, 57, 100, 255}) {
    const TileGrid grid(length, 20, {32, 8}, 4);
    EXPECT_EQ(grid.tile_height(), 32);
    EXPECT_EQ(grid.tile_width(), 20);
    EXPECT_EQ(grid.top(1), std::min<std::int64_t>(24, grid.canvas_height() - 32));
    EXPECT_EQ(grid.canvas_height(), (length + 3) / 4 * 4) << "more than the picture";
    EXPECT_LT(grid.top(grid.rows() - 2) + 32, length) << "a row of tiles too many";
    EXPECT_EQ(grid.canvas_height(), grid.top(grid.rows() - 1) + 32);
    for (std::int64_t row = 1; row < grid.rows(); ++row) {
      EXPECT_GT(grid.top(row), grid.top(row - 1));
      EXPECT_LE(grid.top(row), grid.top(row - 1) + 24);
      EXPECT_EQ(grid.top(row) % 4, 0);
    }
  }
}

/// Expects that the shares of all tiles over each pixel add up to 1.
void expect_whole_shares(const TileGrid& grid) {
  constexpr std::int64_t scale = 2;
  at::Tensor sum = at::zeros({grid.canvas_height() * scale, grid.canvas_width() * scale});
  for (std::int64_t row = 0; row < grid.rows(); ++row) {
    for (std::int64_t column = 0; column < grid.columns(); ++column) {
      const at::Tensor shares = grid.shares(row, column, scale);
      EXPECT_GE(shares.min().item<float>(), 0.0F);
      const auto top = grid.top(row) * scale;
      const auto left = grid.left(column) * scale;
      sum.slice(0, top, top + shares.size(0)).slice(1, left, left + shares.size(1)).add_(shares);
    }
  }
  EXPECT_TRUE(at::allclose(sum, at::ones_like(sum), 0, 1e-6));
}

TEST(TileGrid, SharesAddUpToOneAndVanishAtInnerEdges) {
  constexpr std::int64_t scale = 2;
  for (const int overlap : {0, 4, 8, 16}) {
    SCOPED_TRACE(overlap);
    expect_whole_shares(TileGrid(70, 90, {32, overlap}, 4));
    expect_whole_shares(TileGrid(70, 90, {32, overlap, /*fitted=*/true}, 4));
  }
  const at::Tensor shares = TileGrid(70, 90, {32, 8}, 4).shares(1, 0, scale);
  EXPECT_EQ(shares.slice(0, 0, 4).max().item<float>(), 0.0F);  // a quarter of 8 · 2
  EXPECT_EQ(shares[32][0].item<float>(), 1.0F);                // the picture's own edge
}

/// The pixels of all tiles over those of the picture: what cutting it costs.
double computed_share(std::int64_t height, std::int64_t width, TileSize tile) {
  const TileGrid grid(height, width, tile, 4);
  return static_cast<double>(grid.tiles() * grid.tile_height() * grid.tile_width()) /
         static_cast<double>(height * width);
}

// The tiles of photos-x4. Square ones of 96 cost 1.51, 1.54, 1.64, 1.44 and 1.46.
TEST(FittedTiles, CostLittleMoreThanThePicture) {
  const TileSize tile = {208, 16, true};
  EXPECT_LT(computed_share(220, 332, tile), 1.07);
  EXPECT_LT(computed_share(300, 400, tile), 1.09);
  EXPECT_LT(computed_share(384, 512, tile), 1.13);
  EXPECT_LT(computed_share(960, 1280, tile), 1.18);
  EXPECT_LT(computed_share(3000, 4000, tile), 1.23);
  EXPECT_GT(computed_share(300, 400, {96, 16}), 1.53);
}

TEST(FittedTiles, CoverThePictureWithinTheirBounds) {
  for (const TileSize tile :
       {TileSize{32, 8, true}, TileSize{32, 16, true}, TileSize{40, 0, true}}) {
    const std::int64_t least = std::max(tile.size / 2, 2 * tile.overlap);
    for (const std::int64_t height : {1, 15, 31, 33, 48, 64, 101, 500}) {
      for (const std::int64_t width : {1, 16, 30, 40, 47, 65, 200, 2000}) {
        SCOPED_TRACE(std::to_string(width) + "x" + std::to_string(height));
        const TileGrid grid(height, width, tile, 4);
        EXPECT_LE(grid.tile_height() * grid.tile_width(), tile.size * tile.size);
        EXPECT_LE(
            grid.tile_height() * grid.canvas_width(),
            std::max(TileGrid::row_tiles * tile.size * tile.size, least * grid.canvas_width()));
        EXPECT_GE(grid.tile_height(), std::min(least, grid.canvas_height()));
        EXPECT_GE(grid.tile_width(), std::min(least, grid.canvas_width()));
        EXPECT_EQ(grid.top(grid.rows() - 1) + grid.tile_height(), grid.canvas_height());
        EXPECT_EQ(grid.left(grid.columns() - 1) + grid.tile_width(), grid.canvas_width());
        for (std::int64_t row = 1; row < grid.rows(); ++row) {
          EXPECT_EQ(grid.top(row) % 4, 0);
          EXPECT_LE(grid.top(row), grid.top(row - 1) + grid.tile_height() - tile.overlap);
        }
        for (std::int64_t column = 1; column < grid.columns(); ++column) {
          EXPECT_EQ(grid.left(column) % 4, 0);
          EXPECT_LE(grid.left(column), grid.left(column - 1) + grid.tile_width() - tile.overlap);
        }
      }
    }
  }
}

TEST(FittedTiles, APictureOfAsManyPixelsIsInOnePiece) {
  EXPECT_EQ(TileGrid(32, 32, {32, 8, true}, 4).tiles(), 1);
  EXPECT_EQ(TileGrid(16, 64, {32, 8, true}, 4).tiles(), 1);
  EXPECT_EQ(TileGrid(16, 65, {32, 8, true}, 4).tiles(), 2);
  EXPECT_EQ(TileGrid(100, 200, {0, 0, true}, 4).tiles(), 1);
}

TEST(TileGrid, RefusesWhatCannotBeCut) {
  EXPECT_THROW(TileGrid(100, 100, {30, 8}, 4), UsageError);
  EXPECT_THROW(TileGrid(100, 100, {32, 6}, 4), UsageError);
  EXPECT_THROW(TileGrid(100, 100, {32, 20}, 4), UsageError);
  EXPECT_THROW(TileGrid(100, 100, {32, -4}, 4), UsageError);
  EXPECT_THROW(TileGrid(100, 100, {-32, 0}, 4), UsageError);
}

}  // namespace
}  // namespace srdiff
