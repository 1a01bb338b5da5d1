#include "pipeline/row_stages.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/back_projection.h"
#include "srdiff/neutral_colours.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

at::Tensor smooth_noise(std::int64_t h, std::int64_t w, double amplitude, std::uint64_t seed = 3) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn({1, 3, h, w}, generator).mul(amplitude).clamp(-0.8, 0.8);
}

TEST(GuidedRows, AreTheWholePicturesWhateverTheirHeight) {
  constexpr std::int64_t scale = 4;
  at::Tensor low = smooth_noise(90, 12, 0.2);
  at::Tensor high = smooth_noise(90 * scale, 12 * scale, 0.3, 9);
  // Rows without colour, and rows that are clipped.
  low.slice(2, 30, 44).copy_(low.slice(2, 30, 44).mean(1, true).expand({1, 3, 14, 12}));
  low.slice(2, 50, 70).copy_(at::where(low.slice(2, 50, 70).gt(0.1), at::ones({}), -at::ones({})));
  high.slice(2, 48 * scale, 72 * scale).mul_(4.0);
  const std::vector<std::pair<GuidedWork, std::int64_t>> works = {
      {back_project, back_projection_reach}, {keep_neutral, keep_neutral_reach}};
  for (const auto& [work, reach] : works) {
    const at::Tensor whole = work(high, low);
    for (const std::int64_t rows : {1, 7, 40, 90}) {
      std::vector<at::Tensor> parts;
      GuidedRows part_rows(work, reach, low, scale,
                           [&](const at::Tensor& part) { parts.push_back(part); });
      for (const at::Tensor& part : high.split(rows * scale, 2)) {
        part_rows.add(part);
      }
      const at::Tensor joined = at::cat(parts, 2);
      ASSERT_EQ(joined.sizes(), whole.sizes());
      EXPECT_TRUE(at::allclose(joined, whole, 0, 1e-5)) << rows;
    }
  }
}

TEST(ResizedRows, AreTheWholePicturesWhateverTheirHeight) {
  const at::Tensor picture = smooth_noise(97, 33, 0.5);
  for (const ResizeRatio ratio : {ResizeRatio{1, 2}, {3, 4}, {3, 8}, {17, 40}, {5, 3}}) {
    const std::int64_t height = std::llround(97 * ratio.value());
    const std::int64_t width = std::llround(33 * ratio.value());
    const at::Tensor whole =
        at::_upsample_bicubic2d_aa(picture, {height, width}, false, ratio.value(), ratio.value());
    for (const std::int64_t rows : {1, 16, 97}) {
      std::vector<at::Tensor> parts;
      ResizedRows part_rows({97, 33}, {height, width}, ratio,
                            [&](const at::Tensor& part) { parts.push_back(part); });
      for (const at::Tensor& part : picture.split(rows, 2)) {
        part_rows.add(part);
      }
      const at::Tensor joined = at::cat(parts, 2);
      ASSERT_EQ(joined.sizes(), whole.sizes());
      // The kernel's centres are float32: they differ by rounding with the row where a part begins.
      EXPECT_LT((joined - whole).abs().max().item<double>(), 1e-4) << ratio.up << "/" << ratio.down;
    }
  }
}

}  // namespace
}  // namespace srdiff
