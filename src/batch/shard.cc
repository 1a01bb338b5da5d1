#include "batch/shard.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/parse_number.h"
#include "base/sha256.h"
#include "srdiff/error.h"

namespace srdiff {

Shard parse_shard(const std::string& word) {
  Shard shard;
  const std::size_t slash = std::min(word.find('/'), word.size());
  shard.index = parse_number<int>(word.substr(0, slash)).value_or(0);
  shard.count = parse_number<int>(word.substr(std::min(slash + 1, word.size()))).value_or(0);
  if (shard.index < 1 || shard.index > shard.count) {
    throw UsageError("the shard '" + word + "' is not I/N with I from 1 to N");
  }
  return shard;
}

bool accepts(const Shard& shard, const std::filesystem::path& name) {
  Sha256 hash;
  hash.update(name.native().data(), name.native().size());
  const auto count = static_cast<std::uint64_t>(shard.count);
  return hash.first_u64() % count + 1 == static_cast<std::uint64_t>(shard.index);
}

}  // namespace srdiff
