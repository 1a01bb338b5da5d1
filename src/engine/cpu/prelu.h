#pragma once

#include <ATen/core/Tensor.h>

namespace srdiff::cpu {

/// x where it is positive and weight·x elsewhere, of an image x [N,C,H,W], plain or in blocks
/// (blocked_layout.h); weight [C], or [1] for all channels. LibTorch computes what is not float32
/// on the CPU.
at::Tensor prelu_in_any_layout(const at::Tensor& x, const at::Tensor& weight);

}  // namespace srdiff::cpu
