#pragma once

#include <torch/csrc/jit/api/module.h>

namespace srdiff {

/// Rewrites a network for float32 on the CPU: the operators of cpu_operators.h take the place of
/// LibTorch's convolutions, norms with SiLU behind them, joins and nearest-neighbour enlargement,
/// and images stay in blocks of channels between them where this machine has blocks. Results change
/// by rounding alone. Only `forward` may be called afterwards.
void optimise_for_cpu(torch::jit::Module& module);

}  // namespace srdiff
