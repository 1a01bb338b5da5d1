#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

namespace srdiff::cuda {

/// Rewrites a method of a network for a CUDA device, in the precision that its parameters will
/// have: the operators of operators.h take the place of what stands between two convolutions (their
/// bias, the noise level's offset, the residual, the join with a skip, group norm, SiLU,
/// upsampling) and of attention, those of patch_operators.h take the place of what stands before
/// the first and behind the last; linear layers of one input become one. Operators that are not
/// recognised stay LibTorch's. Results change by rounding alone. No method that calls this one may
/// be called afterwards.
///
/// Returns whether the method converts all its inputs itself, so that images may be float32
/// whatever the network's precision is.
bool rewrite_graph(torch::jit::Module& module, const std::string& method,
                   c10::ScalarType precision);

}  // namespace srdiff::cuda
