#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "pipeline/row_buffer.h"
#include "pipeline/tiled_image.h"
#include "srdiff/resize.h"

namespace srdiff {

/// back_project() for rows that come from top to bottom: hands on what no later row changes.
class BackProjectedRows {
 public:
  /// low [1,3,h,w]; `sink` takes [1,3,n,s·w], s·h rows in all.
  BackProjectedRows(at::Tensor low, std::int64_t scale, RowSink sink)
      : low_(std::move(low)), scale_(scale), sink_(std::move(sink)) {}

  /// The next rows [1,3,n,s·w], n a multiple of s.
  void add(const at::Tensor& rows);

 private:
  at::Tensor low_;
  std::int64_t scale_;
  RowSink sink_;
  RowBuffer high_;
  std::int64_t done_ = 0;  ///< low-resolution rows handed on
};

/// resize_bicubic for rows that come from top to bottom.
class ResizedRows {
 public:
  /// From `input` to `output`, both height and width; `ratio` is output / input but for rounding.
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
