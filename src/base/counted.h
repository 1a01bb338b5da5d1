#pragma once

#include <cstdint>
#include <string>

namespace srdiff {

/// "1 tile", "2 tiles", "0 tiles": a count with its noun, whose plural takes an s.
inline std::string counted(std::int64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace srdiff
