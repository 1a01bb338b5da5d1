#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Optional.h>

#include <cstdint>

namespace srdiff::cpu {

// Norms of float32 images in blocks (blocked_layout.h): they give blocks of `type`, float32 or
// bfloat16. `weight` and `bias` [C] may be absent.

/// group_norm(blocks), or silu of it.
at::Tensor group_norm_in_blocks(const at::Tensor& blocks, std::int64_t groups,
                                const c10::optional<at::Tensor>& weight,
                                const c10::optional<at::Tensor>& bias, double eps, bool with_silu,
                                c10::ScalarType type);

/// silu of a layer norm over the channels of each position.
at::Tensor layer_norm_silu_in_blocks(const at::Tensor& blocks,
                                     const c10::optional<at::Tensor>& weight,
                                     const c10::optional<at::Tensor>& bias, double eps,
                                     c10::ScalarType type);

}  // namespace srdiff::cpu
