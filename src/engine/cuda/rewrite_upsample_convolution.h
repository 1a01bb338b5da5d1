#pragma once

#include <torch/csrc/jit/api/module.h>

#include "engine/graph/graph_nodes.h"

namespace srdiff::cuda {

/// A convolution by `weight` [O,I,3,3], padded by 1, of an image whose pixels were repeated 2x2 is
/// a transposed convolution of the image itself with a stride of 2 and a padding of 1. This returns
/// the weight [I,O,4,4] of the latter. Equal pixels are multiplied once, by the sum of their
/// weights: 4 products in the place of 9.
at::Tensor transposed_upsample_weight(const at::Tensor& weight);

/// Replaces each srdiff::upsample_nearest by 2 and the 3x3 convolution that follows it by such a
/// transposed convolution, in an inlined graph.
void fuse_upsample_convolutions(Graph& graph, const torch::jit::Module& module,
                                c10::ScalarType precision);

}  // namespace srdiff::cuda
