#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// The weight [I,O,4,4] with which a transposed convolution in steps of 2, padded by 1, gives what
/// `weight` [O,I,3,3], padded by 1, gives of an image whose pixels were repeated 2x2. Pixels that
/// are equal are weighted once, by their weights' sum: 4 products in the place of 9.
at::Tensor weight_for_enlarging(const at::Tensor& weight);

/// Replaces each srdiff::upsample_nearest by 2 before a convolution of 3x3 so, in an inlined graph.
void fuse_enlarging_convolutions(Graph& graph, const torch::jit::Module& module,
                                 c10::ScalarType precision);

}  // namespace srdiff::cuda
