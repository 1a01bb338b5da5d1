#pragma once

#include <torch/csrc/jit/api/module.h>

namespace srdiff {

/// Rewrites a network for a CUDA device, in the precision that its parameters will have: the
/// operators of cuda_operators.cc take the place of what stands between two convolutions (their
/// bias, the noise level's offset, the residual, the join with a skip, group norm, SiLU,
/// enlargement) and of attention; linear layers of one input become one. What is not recognised
/// stays LibTorch's. Results change by rounding alone. Only `forward` may be called afterwards.
void optimise_for_cuda(torch::jit::Module& module, c10::ScalarType precision);

}  // namespace srdiff
