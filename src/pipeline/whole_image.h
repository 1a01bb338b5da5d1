#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pipeline/stages.h"
#include "srdiff/tiling.h"
#include "srdiff/upscaler.h"

namespace srdiff {

struct WholeImages {
  at::Tensor images;     ///< [N,3,s·h,s·w] float32 in [−1,1] on the CPU; with a mask [1,6,…]
  std::int64_t at_once;  ///< as many as were to go together, or fewer where memory held no more
};

/// Runs the stages over images lr [N,3,h,w] in [−1,1] (see lr_plane) that are not cut into tiles:
/// each stage once over all rows of at most `at_once` images together. `grid` is that of one such
/// image, of a single tile; `keys` are those of each image's noise. Throws as Upscaler::upscale
/// does.
WholeImages upscale_whole_images(const Model& model, const MethodStages& stages,
                                 const TileGrid& grid, const std::vector<std::uint64_t>& keys,
                                 const UpscaleObserver& observer, const at::Tensor& lr,
                                 std::int64_t at_once);

}  // namespace srdiff
