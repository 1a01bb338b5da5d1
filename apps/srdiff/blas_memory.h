#pragma once

/// Where the address space is limited (ulimit -v), has OpenBLAS take the buffers of so many threads
/// now: when it gets none later, it tries for ever. Throws MemoryError where there is no room for
/// one.
void reserve_blas_memory(int threads);
