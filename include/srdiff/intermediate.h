#pragma once

#include <ATen/core/Tensor.h>

#include "srdiff/schedule.h"

namespace srdiff {

/// The predicted intermediate state, equation (1) of Ma & Watanabe:
///
///     x_t = √ᾱ_t · x_sr + clamp(β + W, 0, 1) · √(1 − ᾱ_t) · ε
///
/// `x_sr` and `eps` are [N,3,H,W] float32, x_sr in [−1,1], ε ~ N(0, I). `weight_map` is
/// [N,1,H,W] or [N,3,H,W] in [0,1]; undefined means W = 0. `beta` is a scalar in [0,1]; β = 1
/// gives the same state with and without W. `t` is in 0…T; ᾱ_0 = 1, so that t = 0 gives x_sr.
/// A `mask` [N,1,H,W] in [0,1] multiplies clamp(β + W, 0, 1); undefined means 1.
/// Throws UsageError on a t or beta outside its range.
at::Tensor intermediate_state(const Schedule& schedule, int t, const at::Tensor& x_sr,
                              const at::Tensor& weight_map, double beta, const at::Tensor& eps,
                              const at::Tensor& mask = {});

}  // namespace srdiff
