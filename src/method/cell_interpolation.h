#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// low [N,C,h,w] → [N,C,s·h,s·w] by linear interpolation between the centres of its cells of s×s
/// pixels; beyond the outermost centres the values stay. Each value is computed in the same way
/// wherever it lies, so that a part of a picture gets the whole picture's values, but for the cells
/// at its own edges.
at::Tensor interpolate_cells(const at::Tensor& low, std::int64_t scale);

}  // namespace srdiff
