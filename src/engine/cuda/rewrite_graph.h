#pragma once

#include <torch/csrc/jit/api/module.h>

namespace srdiff::cuda {

/// Rewrites a network for a CUDA device, in the precision that its parameters will have: the
/// operators of operators.h take the place of what stands between two convolutions (their bias, the
/// noise level's offset, the residual, the join with a skip, group norm, SiLU, upsampling), of
/// attention, of all that depends on the noise level alone, and of the conversions at both ends;
/// linear layers of one input become one. Operators that are not recognised stay LibTorch's.
/// Results change by rounding alone. Only `forward` may be called afterwards.
///
/// Returns whether the network converts all its inputs itself, so that images may be float32
/// whatever its precision is.
bool rewrite_graph(torch::jit::Module& module, c10::ScalarType precision);

}  // namespace srdiff::cuda
