#pragma once

#include <filesystem>
#include <string>

namespace srdiff {

/// Part `index` of `count`, from 1: for spreading one folder over machines.
struct Shard {
  int index = 1;
  int count = 1;
};

/// "I/N" with 1 ≤ I ≤ N. Throws UsageError.
Shard parse_shard(const std::string& word);

/// Whether a picture belongs to a shard: its path below the input folder decides, by the SHA-256 of
/// the path's bytes modulo the count, whatever else the folder holds.
bool accepts(const Shard& shard, const std::filesystem::path& name);

}  // namespace srdiff
