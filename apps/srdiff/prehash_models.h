#pragma once

#include "base/known_digests.h"

/// What a second core does while the first one starts LibTorch: it hashes the files of the models
/// that `upscale` will most likely load, by the words of the command line. A wrong guess costs time
/// that nobody else had use for. The result waits for what is being hashed.
srdiff::KnownDigests start_early_work(int argc, char** argv);
