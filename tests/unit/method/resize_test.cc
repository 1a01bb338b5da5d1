#include "srdiff/resize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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

TEST(ResizeBicubic, KeepsAConstant) {
  const at::Tensor flat = at::full({2, 3, 5, 7}, 0.25);
  EXPECT_TRUE(at::allclose(resize_bicubic(flat, 40, 56), at::full({2, 3, 40, 56}, 0.25), 0, 1e-6));
}

}  // namespace
}  // namespace srdiff
