#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "pipeline/row_buffer.h"
#include "srdiff/resize.h"

namespace srdiff {

/// Makes rows [1,3,s·n,s·w] from rows `high` of the same size and the rows `low` [1,3,n,w] of the
/// input that belong to them.
using GuidedWork = std::function<at::Tensor(const at::Tensor& high, const at::Tensor& low)>;

/// Work on a picture that depends on some rows above and below, such as back_project, over rows
/// that come from top to bottom. Hands on what no later row changes.
class GuidedRows {
 public:
  /// low [1,3,h,w] is the whole input; `reach` counts its rows above and below that a row depends
  /// on. `sink` takes [1,3,n,s·w], s·h rows in all.
  GuidedRows(GuidedWork work, std::int64_t reach, at::Tensor low, std::int64_t scale, RowSink sink)
      : work_(std::move(work)),
        reach_(reach),
        low_(std::move(low)),
        scale_(scale),
        sink_(std::move(sink)) {}

  /// The next rows [1,3,n,s·w], n a multiple of s.
  void add(const at::Tensor& rows);

 private:
  GuidedWork work_;
  std::int64_t reach_;
  at::Tensor low_;
  std::int64_t scale_;
  RowSink sink_;
  RowBuffer high_;
  std::int64_t done_ = 0;  ///< low-resolution rows handed on
};

/// resize_bicubic for rows that come from top to bottom.
class ResizedRows {
 public:
  /// Height and width. `ratio` is output / input, up to the rounding of the output's sides.
  struct Size {
    std::int64_t height;
    std::int64_t width;
  };
  ResizedRows(Size input, Size output, ResizeRatio ratio, RowSink sink)
      : input_(input), output_(output), ratio_(ratio), sink_(std::move(sink)) {}

  void add(const at::Tensor& rows);

 private:
  bool has_rows_for(std::int64_t output_last) const;

  Size input_;
  Size output_;
  ResizeRatio ratio_;
  RowSink sink_;
  RowBuffer rows_;
  std::int64_t done_ = 0;  ///< output rows handed on
};

}  // namespace srdiff
