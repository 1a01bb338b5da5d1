#include "srdiff/resize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace srdiff {
namespace {

/// Half the width of the cubic kernel, in pixels of the coarser of the two grids.
constexpr double kernel_radius = 2.0;

/// Keys' cubic kernel with a = −0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  }
  return x < kernel_radius ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

/// The input rows that an output row is a weighted mean of, by Pillow's and ATen's rule.
struct RowWeights {
  RowRange rows;
  std::vector<float> weights;
};

RowRange rows_of(ResizeRatio ratio, std::int64_t height, std::int64_t row) {
  const double step = 1.0 / ratio.value();
  const double reach = kernel_radius * std::max(1.0, step);
  const double centre = step * (static_cast<double>(row) + 0.5);
  const auto first = static_cast<std::int64_t>(std::max(centre - reach + 0.5, 0.0));
  const auto last = static_cast<std::int64_t>(std::floor(centre + reach + 0.5));
  return {std::min(first, height), std::min(last, height)};
}

RowWeights weights_of(ResizeRatio ratio, std::int64_t height, std::int64_t row) {
  const double step = 1.0 / ratio.value();
  const double centre = step * (static_cast<double>(row) + 0.5);
  RowWeights result{rows_of(ratio, height, row), {}};
  std::vector<double> weights;
  double sum = 0.0;
  for (std::int64_t y = result.rows.first; y < result.rows.last; ++y) {
    weights.push_back(cubic((static_cast<double>(y) - centre + 0.5) / std::max(1.0, step)));
    sum += weights.back();
  }
  for (const double weight : weights) {
    result.weights.push_back(static_cast<float>(weight / sum));
  }
  return result;
}

}  // namespace

at::Tensor resize_bicubic(const at::Tensor& images, std::int64_t height, std::int64_t width) {
  return at::_upsample_bicubic2d_aa(images, {height, width}, /*align_corners=*/false);
}

RowRange rows_to_resize(ResizeRatio ratio, std::int64_t height, RowRange output) {
  return {rows_of(ratio, height, output.first).first, rows_of(ratio, height, output.last - 1).last};
}

at::Tensor resize_bicubic_rows(const at::Tensor& rows, std::int64_t top, std::int64_t height,
                               ResizeRatio ratio, RowRange output, std::int64_t width) {
  const RowRange needed = rows_to_resize(ratio, height, output);
  TORCH_CHECK(needed.first >= top && needed.last <= top + rows.size(2),
              "resize_bicubic_rows lacks rows of its input");
  // ATen cuts rows only where an input row begins, so that it does the columns alone.
  const at::Tensor cut = rows.slice(2, needed.first - top, needed.last - top).contiguous();
  const at::Tensor columns = at::_upsample_bicubic2d_aa(cut, {cut.size(2), width},
                                                        /*align_corners=*/false, 1.0, ratio.value())
                                 .contiguous();
  const std::int64_t made = output.last - output.first;
  at::Tensor result = at::zeros({rows.size(0), rows.size(1), made, width}, columns.options());
  const auto* const from = columns.data_ptr<float>();
  auto* const to = result.data_ptr<float>();
  constexpr std::int64_t rows_a_task = 8;
  at::parallel_for(0, made, rows_a_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const RowWeights row = weights_of(ratio, height, output.first + i);
      for (std::int64_t plane = 0; plane < rows.size(0) * rows.size(1); ++plane) {
        float* const sum = to + (plane * made + i) * width;
        const float* source = from + (plane * cut.size(2) + row.rows.first - needed.first) * width;
        for (const float weight : row.weights) {
          for (std::int64_t x = 0; x < width; ++x) {
            sum[x] += weight * source[x];
          }
          source += width;
        }
      }
    }
  });
  return result;
}

}  // namespace srdiff
