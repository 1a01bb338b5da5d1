#pragma once

#include <torch/csrc/jit/api/module.h>

#include <set>
#include <string>

namespace srdiff::cpu {

/// Rewrites a network for float32 on the CPU: the operators of operators.h take the place of
/// LibTorch's convolutions, norms with SiLU behind them, attention, joins and nearest-neighbour
/// upsampling, linear layers of one input become one, and images stay in blocks of channels between
/// them where this machine has blocks. Results change by rounding alone. Only `forward` may be
/// called afterwards. The rewritten graph owns what its convolutions keep between calls, such as
/// weights in other orders; its copies share that.
///
/// With `in_bf16` the products of convolutions in blocks are of bf16 (see BlockedConvolution).
///
/// Returns the parameters that nothing but these convolutions reads: they may stay in the file's
/// precision, since a convolution makes its own copy. Of a flat network alone, whose parameters all
/// belong to `module` itself; empty for others. All other parameters must become float32.
std::set<std::string> rewrite_graph(torch::jit::Module& module, bool in_bf16 = false);

}  // namespace srdiff::cpu
