#include "srdiff/resize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace srdiff {
namespace {

// Pillow 9.4, Image.resize(..., BICUBIC) on the float row 0, 1, 4, 9, 16, 25, 36, 49.
TEST(ResizeBicubic, ReducesAsPillowDoes) {
  const at::Tensor row = at::tensor({0.F, 1.F, 4.F, 9.F, 16.F, 25.F, 36.F, 49.F});
  const at::Tensor half = resize_bicubic(row.reshape({1, 1, 1, 8}), 1, 4).flatten();
  EXPECT_TRUE(at::allclose(half, at::tensor({0.41004F, 6.18919F, 20.75676F, 41.79498F}), 0, 1e-4))
      << half;
}

TEST(ResizeBicubic, EnlargesAsPillowDoes) {
  const at::Tensor row = at::tensor({0.F, 1.F, 4.F, 9.F});
  const at::Tensor twice = resize_bicubic(row.reshape({1, 1, 1, 4}), 1, 8).flatten();
  EXPECT_TRUE(at::allclose(
      twice,
      at::tensor({-0.08824F, 0.12409F, 0.57252F, 1.56250F, 3.06250F, 5.31298F, 8.11679F, 9.44118F}),
      0, 1e-4))
      << twice;
}

// Rows by themselves are those of the whole picture, and need few rows of it whatever the ratio.
TEST(ResizeBicubicRows, AreThoseOfTheWholePicture) {
  auto generator = at::detail::createCPUGenerator(3);
  for (const ResizeRatio ratio : {ResizeRatio{3, 4}, {1009, 1613}, {1, 1}, {5, 2}, {1601, 6400}}) {
    const std::int64_t height = 640;
    const std::int64_t width = 20;
    const at::Tensor picture = at::rand({1, 2, height, width}, generator);
    const std::int64_t high = height * ratio.up / ratio.down;
    const std::int64_t wide = (2 * width * ratio.up + ratio.down) / (2 * ratio.down);
    // In float, ATen's positions are off by 1e-4 pixels at the picture's end.
    const at::Tensor whole = at::_upsample_bicubic2d_aa(picture.to(at::kDouble), {high, wide},
                                                        false, ratio.value(), ratio.value())
                                 .to(at::kFloat);
    for (const RowRange rows :
         {RowRange{0, 1}, {0, high}, {high / 2, high / 2 + 9}, {high - 1, high}}) {
      const RowRange needed = rows_to_resize(ratio, height, rows);
      EXPECT_LE(static_cast<double>(needed.last - needed.first),
                static_cast<double>(rows.last - rows.first) / ratio.value() +
                    4.0 * std::max(1.0, 1.0 / ratio.value()) + 2.0);
      const at::Tensor made = resize_bicubic_rows(picture.slice(2, needed.first, needed.last),
                                                  needed.first, height, ratio, rows, wide);
      EXPECT_TRUE(at::allclose(made, whole.slice(2, rows.first, rows.last), 0, 1e-5))
          << ratio.up << "/" << ratio.down << " rows " << rows.first;
    }
  }
}

TEST(ResizeBicubic, KeepsAConstant) {
  const at::Tensor flat = at::full({2, 3, 5, 7}, 0.25);
  EXPECT_TRUE(at::allclose(resize_bicubic(flat, 40, 56), at::full({2, 3, 40, 56}, 0.25), 0, 1e-6));
}

}  // namespace
}  // namespace srdiff
