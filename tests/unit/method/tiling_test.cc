#include "srdiff/tiling.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

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

TEST(TileGrid, SharesAddUpToOneAndVanishAtInnerEdges) {
  constexpr std::int64_t scale = 2;
  for (const int overlap : {0, 4, 8, 16}) {
    const TileGrid grid(70, 90, {32, overlap}, 4);
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
    EXPECT_TRUE(at::allclose(sum, at::ones_like(sum), 0, 1e-6)) << overlap;
  }
  const at::Tensor shares = TileGrid(70, 90, {32, 8}, 4).shares(1, 0, scale);
  EXPECT_EQ(shares.slice(0, 0, 4).max().item<float>(), 0.0F);  // a quarter of 8 · 2
  EXPECT_EQ(shares[32][0].item<float>(), 1.0F);                // the picture's own edge
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
