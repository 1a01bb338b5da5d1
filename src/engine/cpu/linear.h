#pragma once

#include <ATen/core/Tensor.h>

namespace srdiff::cpu {

/// A linear layer of few rows: x [N,K] · weightᵀ [M,K] + bias [M] → [N,M], float32 on the CPU;
/// LibTorch computes any other. One thread sums a value, so that results do not depend on the
/// number of threads.
at::Tensor linear_of_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace srdiff::cpu
