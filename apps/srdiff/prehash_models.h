#pragma once

#include "base/known_digests.h"

/// Hashes the files of the models that `upscale` will most likely load, by the words of the command
/// line, on a second processor while the first one starts LibTorch. Where the guess is wrong, no
/// work of the first one is lost. The result waits for the digest that it is asked for.
srdiff::KnownDigests start_prehashing(int argc, char** argv);
