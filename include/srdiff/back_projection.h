#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// Back-projection (Irani & Peleg 1991), one step: what the reduced picture lacks of the input is
/// enlarged and added.
///
///     x + U · (low − D·x)
///
/// D reduces and U enlarges by antialiased bicubic (resize.h). Colours and low frequencies, in
/// which diffusion models drift, become the input's; of a difference at the input's highest
/// frequencies a fifth is corrected (the eigenvalues of D·U, measured at scales 2 to 8, go from 1
/// for a plane to 0.22 for a chequerboard). That is meant: there an input's own noise lies, and
/// JPEG's, which the exact projection x + U·(D·U)⁻¹·(low − D·x) puts back as a visible grid.
///
/// Where values are clipped to [−1,1], what the cell of an input pixel (s×s pixels) loses is given
/// to the pixels around, over and over, so that black and white patterns keep their mean. Where the
/// input is neutral, so is the result: x is what keep_neutral leaves (neutral_colours.h). Pixels
/// that are in range, and whose neighbourhood has a colour, get the formula's value alone.
///
/// `high` is [N,3,H,W] in [−1,1], `low` [N,3,h,w] with H = s·h, W = s·w; the result is in [−1,1].
at::Tensor back_project(const at::Tensor& high, const at::Tensor& low);

/// Rows of `low` above and below a row that its result depends on: 3 for a neutral neighbourhood, 2
/// for D, 2 for U, and 2 for each of the 8 rounds in which lost means are given back.
inline constexpr std::int64_t back_projection_reach = 23;

}  // namespace srdiff
