#include "pipeline/mask.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace srdiff {
namespace {

/// White rises over twice as many pixels.
constexpr std::int64_t rim = 2;

/// The mask's pixels that lie under pixels of the picture along one side: of the `n`-th pixel those
/// from first[n] on, as many as `most` at most, the last of them repeated. `from` … `to` are pixels
/// of a picture of `side`, those beyond its edges taken for the edge's.
std::vector<at::Tensor> cover(std::int64_t from, std::int64_t to, std::int64_t side,
                              std::int64_t mask_side) {
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> last;
  std::int64_t most = 1;
  for (std::int64_t i = from; i < to; ++i) {
    const std::int64_t pixel = std::clamp<std::int64_t>(i, 0, side - 1);
    first.push_back(pixel * mask_side / side);
    last.push_back(((pixel + 1) * mask_side + side - 1) / side - 1);
    most = std::max(most, last.back() - first.back() + 1);
  }
  std::vector<at::Tensor> result;
  for (std::int64_t k = 0; k < most; ++k) {
    std::vector<std::int64_t> index;
    for (std::size_t i = 0; i < first.size(); ++i) {
      index.push_back(std::min(first[i] + k, last[i]));
    }
    result.push_back(at::tensor(index));
  }
  return result;
}

at::Tensor darkest_along(const at::Tensor& mask, std::int64_t dimension,
                         const std::vector<at::Tensor>& indices) {
  at::Tensor result;
  for (const at::Tensor& index : indices) {
    const at::Tensor taken = mask.index_select(dimension, index);
    result = result.defined() ? at::minimum(result, taken) : taken;
  }
  return result;
}

}  // namespace

LaidMask::LaidMask(at::Tensor mask, std::int64_t height, std::int64_t width)
    : mask_(std::move(mask)), height_(height), width_(width) {}

at::Tensor LaidMask::darkest(RowRange rows, std::int64_t left, std::int64_t right) const {
  const at::Tensor some =
      darkest_along(mask_, 0, cover(rows.first, rows.last, height_, mask_.size(0)));
  return darkest_along(some, 1, cover(left, right, width_, mask_.size(1)));
}

at::Tensor LaidMask::rows(RowRange rows, std::int64_t width) const {
  constexpr std::int64_t around = 2 * rim;
  constexpr std::int64_t window = 2 * rim + 1;
  const at::Tensor wide =
      darkest({rows.first - around, rows.last + around}, -around, width + around)
          .to(at::kFloat)
          .div_(255.0)
          .unsqueeze(0)
          .unsqueeze(0);
  const at::Tensor darker = -at::max_pool2d(-wide, window, 1);
  return at::avg_pool2d(darker, window, 1).clamp_(0.0, 1.0);
}

at::Tensor mix(const at::Tensor& white, const at::Tensor& black, const at::Tensor& mask) {
  return white * mask + black * (1.0 - mask);
}

}  // namespace srdiff
