#pragma once

#include <string>
#include <vector>

namespace srdiff {

/// Of several words the one that is nearest to a mistyped one: it differs by at most two letters
/// that are changed, missing, added or swapped with their neighbour, and by fewer than half of
/// them. Empty where none is so near.
std::string nearest_word(const std::string& typed, const std::vector<std::string>& words);

/// "; the nearest is WORD", for messages, or nothing.
std::string nearest_hint(const std::string& typed, const std::vector<std::string>& words);

}  // namespace srdiff
