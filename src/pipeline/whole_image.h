#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "srdiff/upscaler.h"

namespace srdiff {

/// What becomes of images in one piece.
struct OnePiece {
  at::Tensor images;     ///< [N,3,s·h,s·w] float32 in [−1,1] on the CPU
  std::int64_t at_once;  ///< what was given, or fewer where memory did not hold as many
};

/// The method over images lr [N,3,h,w] in [−1,1] that are not cut into tiles, at most `at_once`
/// together. Throws as Upscaler::upscale does.
OnePiece in_one_piece(const Model& model, const UpscaleSettings& settings,
                      const UpscaleObserver& observer, const at::Tensor& lr, std::int64_t at_once);

}  // namespace srdiff
