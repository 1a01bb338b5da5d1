#pragma once

#include <string_view>

namespace srdiff {

/// Looks into a TorchScript file in memory before LibTorch loads it, which could run code of the
/// file's: its members, its code (network_code.h) and its pickles (network_pickle.h), and the
/// limits of network_limits.h. docs/MODELS.md says what then holds, and what does not. Throws
/// ModelError with the reason: of ErrorCode::network_not_trusted, or of another where the file is
/// no archive.
void check_network_archive(std::string_view bytes);

}  // namespace srdiff
