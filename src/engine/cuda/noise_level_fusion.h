#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// Puts one srdiff::noise_level_program (noise_level_program.h) in the place of all that a denoiser
/// computes from the noise level alone: the preconditioning's factors and the sinusoids of its
/// encoding. The graph is inlined, and its inputs are condition, x_t and noise level. Operators
/// that are not recognised stay.
void fuse_noise_level(Graph& graph, const torch::jit::Module& module);

}  // namespace srdiff::cuda
