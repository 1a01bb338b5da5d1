#pragma once

/// Chooses how long LibTorch's threads (libgomp's) spin at a barrier before they sleep. By default
/// they spin for some milliseconds; where another program keeps a core busy, a thread that spins
/// takes that core from the very thread that it waits for, and a face takes 20 times as long.
/// On a busy machine threads sleep soon; on a quiet one they spin three times as long, which is a
/// percent or two faster there (docs/PERFORMANCE.md).
///
/// What the user has set by OMP_WAIT_POLICY or GOMP_SPINCOUNT stays. To be called before libgomp is
/// loaded: it reads its variables once.
void choose_thread_waiting();
