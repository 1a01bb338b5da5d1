#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace srdiff {

/// The picture with the input's chroma where the input is neutral, since a network that was trained
/// on coloured pictures paints colours into greys, most of all into fine patterns of black and
/// white. Chroma is what a pixel has beside its luma (Rec. 601); luma stays.
///
/// A pixel of the input is neutral as far as the largest difference of its channels is small: all
/// of it up to 4 levels of 8 bits, as JPEG and scanners leave in a grey, nothing of it from 12 on,
/// and in between in proportion. What is within two pixels of a pixel counts as no more neutral
/// than that, so that nothing bleeds over an edge of a colour, and the share goes over from one
/// pixel of the input to the next without a step. The chroma that is taken is the mean of 5×5
/// pixels around, so that noise in the input's chroma does not come back. R = G = B in gives R = G
/// = B out; where nothing is neutral, the picture stays as it is, bit for bit.
///
/// `high` is [N,3,H,W] in [−1,1], `low` [N,3,h,w] with H = s·h, W = s·w; the result is in [−1,1].
at::Tensor keep_neutral(const at::Tensor& high, const at::Tensor& low);

/// Rows of `low` above and below a row that its result depends on: 2 for the neighbourhood, 1 for
/// the interpolation.
inline constexpr std::int64_t keep_neutral_reach = 3;

}  // namespace srdiff
