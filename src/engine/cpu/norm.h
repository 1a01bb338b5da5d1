#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Optional.h>

#include <cstdint>

namespace srdiff::cpu {

/// x / (1 + e^-x) of each value, float32 on the CPU; others are LibTorch's. Its own differ in the
/// last bit by where among a thread's values one stands, and so by the number of threads.
at::Tensor silu_of_each(const at::Tensor& x);

/// 1 / (1 + e^-x), the same way; not a number where x is infinite.
at::Tensor sigmoid_of_each(const at::Tensor& x);

// Norms, and SiLU behind them in one pass over memory that the caches still hold, for float32 on
// the CPU. A value is computed by one thread whatever their number, so that results do not depend
// on it. What is in blocks (blocked_layout.h) gives blocks, of `type`: float32 or bfloat16; `type`
// has no say over plain images.

/// group_norm(x) of x [N,C,…]. `weight` and `bias` [C] may be absent.
at::Tensor group_norm_in_any_layout(const at::Tensor& x, std::int64_t groups,
                                    const c10::optional<at::Tensor>& weight,
                                    const c10::optional<at::Tensor>& bias, double eps,
                                    c10::ScalarType type = c10::kFloat);

/// silu(group_norm(x)).
at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups,
                           const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type = c10::kFloat);

/// silu of a layer norm over the channels of each position of x [N,C,H,W]; the result of a plain
/// image is channels_last. `weight` and `bias` [C] may be absent.
at::Tensor layer_norm_silu(const at::Tensor& x, const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type = c10::kFloat);

}  // namespace srdiff::cpu
