#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Optional.h>

#include <cstdint>

namespace srdiff::cpu {

/// x / (1 + e^-x) of each value of a float32 tensor on the CPU; LibTorch computes any other tensor.
/// LibTorch's results differ in the last bit with a value's place in a thread's share, and so with
/// the number of threads; these do not.
at::Tensor silu_of_each(const at::Tensor& x);

/// 1 / (1 + e^-x) of each value in the same way; NaN where x is infinite.
at::Tensor sigmoid_of_each(const at::Tensor& x);

// Norms of float32 images on the CPU, with or without SiLU, which is computed while the caches
// still hold a norm's result. One thread computes a value, so that results do not depend on the
// number of threads. Images in blocks (blocked_layout.h) give blocks of `type`, float32 or
// bfloat16; plain images give float32 whatever `type` is.

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
