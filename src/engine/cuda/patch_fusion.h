#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// Puts the operators of patch_operators.h in the place of what stands before a network's first
/// convolution (the denoiser's preconditioning, cat, pixel_unshuffle, the conversion to the
/// network's precision) and behind its last one (bias, conversion to float32, pixel_shuffle, the
/// preconditioning's sum), and fills up these convolutions' channels to whole vectors. The graph is
/// inlined; operators that are not recognised stay.
void fuse_patches(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision);

}  // namespace srdiff::cuda
