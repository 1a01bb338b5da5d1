#include "pipeline/row_stages.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace srdiff {

void GuidedRows::add(const at::Tensor& rows) {
  high_.append(rows);
  const std::int64_t height = low_.size(2);
  const std::int64_t there = high_.end() / scale_;
  const std::int64_t last = there == height ? height : there - reach_;
  if (last <= done_) {
    return;
  }
  const std::int64_t from = std::max<std::int64_t>(0, done_ - reach_);
  const std::int64_t to = std::min(last + reach_, height);
  const at::Tensor fixed = work_(high_.rows(from * scale_, to * scale_), low_.slice(2, from, to));
  sink_(fixed.slice(2, (done_ - from) * scale_, (last - from) * scale_));
  done_ = last;
  high_.drop_before((done_ - reach_) * scale_);
}

bool ResizedRows::has_rows_for(std::int64_t output_last) const {
  return rows_to_resize(ratio_, input_.height, {done_, output_last}).last <= rows_.end();
}

void ResizedRows::add(const at::Tensor& rows) {
  rows_.append(rows);
  std::int64_t last = output_.height;
  if (rows_.end() < input_.height) {
    last = std::min(last, rows_.end() * ratio_.up / ratio_.down);
    while (last > done_ && !has_rows_for(last)) {
      --last;
    }
  }
  if (last <= done_) {
    return;
  }
  const RowRange needed = rows_to_resize(ratio_, input_.height, {done_, last});
  sink_(resize_bicubic_rows(rows_.rows(needed.first, needed.last), needed.first, input_.height,
                            ratio_, {done_, last}, output_.width));
  done_ = last;
  rows_.drop_before(rows_to_resize(ratio_, input_.height, {done_, done_ + 1}).first);
}

}  // namespace srdiff
