#pragma once

#include "engine/graph/graph_nodes.h"

namespace srdiff {

/// Writes what other people's networks hold as the passes over a graph look for it. torch.jit.trace
/// leaves aten::_convolution where a script has aten::conv2d, and modules with inplace=True change
/// the result of a convolution or a sum that nothing else reads: the operator that gives a new
/// tensor computes the same. What is not sure to be the same stays as it is.
void simplify_operators(Graph& graph, const torch::jit::Module& module);

}  // namespace srdiff
