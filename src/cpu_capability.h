#pragma once

#include <string>

namespace srdiff {

/// The vectors that LibTorch's kernels use here: "AVX512", "AVX2", or another word for less.
std::string cpu_capability();

}  // namespace srdiff
