#pragma once

#include <torch/csrc/jit/api/module.h>

namespace srdiff::cuda {

/// Rewrites a network for a CUDA device, in the precision that its parameters will have: the
/// operators of cuda_operators.cc take the place of what stands between two convolutions (their
/// bias, the noise level's offset, the residual, the join with a skip, group norm, SiLU,
/// enlargement), of attention, of what is computed of the noise level alone, and of the conversions
/// at both ends; linear layers of one input become one. What is not recognised stays LibTorch's.
/// Results change by rounding alone. Only `forward` may be called afterwards.
///
/// Returns whether the network converts all that it is given itself, so that images may be float32
/// whatever its precision.
bool rewrite_graph(torch::jit::Module& module, c10::ScalarType precision);

}  // namespace srdiff::cuda
