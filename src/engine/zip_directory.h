#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace srdiff {

/// What a zip archive's directory says of a member.
struct ZipMember {
  std::string name;
  std::uint64_t packed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  bool stored = false;  ///< not compressed
};

/// The directory of an archive in memory, in its order, by the fields that LibTorch's reader takes:
/// the end record is the file's last 22 bytes, and a 64-bit one counts where there is one. Nothing
/// is unpacked. Throws ModelError with the reason when the archive is none, is damaged, or is of a
/// kind that LibTorch does not write (encrypted, with a comment, of several files, members of 4
/// GB).
std::vector<ZipMember> read_zip_directory(std::string_view bytes);

}  // namespace srdiff
