#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// Puts one srdiff::noise_level_program (noise_level_program.h) in the place of all that a
/// denoiser, inlined and of the inputs condition, x_t and noise level, computes of the noise level
/// value by value: the preconditioning's factors and the sinusoids of its encoding. What is not
/// recognised stays.
void fuse_noise_level(Graph& graph, const torch::jit::Module& module);

}  // namespace srdiff::cuda
