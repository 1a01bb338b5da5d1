#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// Puts the operators of patch_operators.h in the place of what stands before a network's first
/// convolution (srdiff::denoiser_input, pixel_unshuffle, the conversion to the network's precision)
/// and behind its last one (bias, conversion to float32, pixel_shuffle, srdiff::denoiser_output),
/// and fills up these convolutions' channels to whole vectors. The graph is inlined. Ends of
/// another kind stay as they are.
void rewrite_ends(Graph& graph, const torch::jit::Module& module, c10::ScalarType precision);

}  // namespace srdiff::cuda
