#pragma once

/// Ends the program a second after it was interrupted where it is still busy with work that cannot
/// be told to stop (base/unstoppable_work.h), with a line, status 130 and no temporary file left.
/// Call it after handle_signals. Where the system gives no thread for it, such work is waited for.
void watch_interruption();
