#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// The closest picture, by antialiased bicubic's own patterns, that reduces to the input again:
///
///     x + U · (D·U)⁻¹ · (low − D·x)
///
/// D reduces and U enlarges by antialiased bicubic (resize.h), so that only what the input knows is
/// corrected: colours and low frequencies, in which diffusion models drift. `high` is [N,3,H,W] in
/// [−1,1], `low` [N,3,h,w] with H = s·h, W = s·w; the result is clamped to [−1,1], where that
/// clips, D·x = low holds less exactly. (D·U)⁻¹ is found by Chebyshev iteration.
at::Tensor consistent(const at::Tensor& high, const at::Tensor& low);

/// Rows of `low` above and below a row that its result depends on.
inline constexpr std::int64_t consistency_reach = 24;

}  // namespace srdiff
