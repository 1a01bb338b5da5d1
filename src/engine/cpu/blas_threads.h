#pragma once

namespace srdiff::cpu {

/// Threads of the process's matrix products where its BLAS is an OpenBLAS with threads of its own.
/// Any other BLAS follows OpenMP, and this does nothing.
void set_blas_threads(int count);

}  // namespace srdiff::cpu
