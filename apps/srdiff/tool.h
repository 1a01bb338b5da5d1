#pragma once

#include "base/known_digests.h"

/// All of the program behind main(), which may stand in another file (launcher.cc) and may have
/// hashed some files before. Ends the process with the command's exit status.
extern "C" [[noreturn]] void srdiff_run(int argc, char** argv, const srdiff::KnownDigests& digests);
