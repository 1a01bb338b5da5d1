#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace srdiff {

/// Bytes of the tensors' storages that a pickle may name, by their keys: "0", "1", …
using StorageSizes = std::map<std::string, std::uint64_t>;

/// Follows a pickle of a TorchScript archive, instruction by instruction, without making what it
/// describes. Throws ModelError with the reason
/// - for an instruction or a global that LibTorch does not write for modules, tensors, numbers,
///   texts and containers of them, and for one that takes what is not there: LibTorch's reader does
///   not look;
/// - for a tensor that reaches beyond its storage, or a storage larger than its member;
/// - for values nested deeper than network_limits.h says, or containers that hold themselves.
void check_network_pickle(std::string_view pickle, const StorageSizes& storages);

}  // namespace srdiff
