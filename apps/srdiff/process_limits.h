#pragma once

/// Calls run(argc, argv), in a thread with a stack of the usual size where the caller's limit
/// (ulimit -s) leaves less; threads that are started later get as much. Parsers and LibTorch's
/// compiler call themselves.
void run_with_usual_stack(void (*run)(int argc, char** argv), int argc, char** argv);

/// Has OpenBLAS start no threads of its own where the caller's limits may leave none for them
/// (ulimit -u), or no address space for their buffers (ulimit -v): it would end the process as if
/// by Ctrl-C, or wait for ever. Call it before the library is loaded. What the user has set stays.
void limit_blas_threads();
