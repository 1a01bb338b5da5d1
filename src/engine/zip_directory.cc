#include "engine/zip_directory.h"

#include "engine/network_limits.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr std::uint64_t end_signature = 0x06054b50;
constexpr std::uint64_t end64_signature = 0x06064b50;
constexpr std::uint64_t locator_signature = 0x07064b50;
constexpr std::uint64_t entry_signature = 0x02014b50;
constexpr std::size_t end_size = 22;
constexpr std::size_t locator_size = 20;
constexpr std::size_t end64_size = 56;
constexpr std::size_t entry_size = 46;
constexpr std::uint64_t in_64_bits = 0xffffffff;  // the field stands elsewhere

[[noreturn]] void damaged_archive(const std::string& how) {
  throw ModelError("its archive " + how);
}

/// The little-endian number of `count` bytes at `at`.
std::uint64_t zip_number(std::string_view bytes, std::uint64_t at, int count) {
  if (at > bytes.size() || bytes.size() - at < static_cast<std::size_t>(count)) {
    damaged_archive("is cut short");
  }
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  }
  return value;
}

struct ZipDirectory {
  std::uint64_t members = 0;
  std::uint64_t size = 0;
  std::uint64_t start = 0;
};

ZipDirectory find_directory(std::string_view bytes) {
  if (bytes.size() < end_size || zip_number(bytes, bytes.size() - end_size, 4) != end_signature) {
    damaged_archive("has no end");
  }
  const std::size_t end = bytes.size() - end_size;
  ZipDirectory directory{zip_number(bytes, end + 10, 2), zip_number(bytes, end + 12, 4),
                         zip_number(bytes, end + 16, 4)};
  bool one_part = zip_number(bytes, end + 4, 2) == 0 && zip_number(bytes, end + 6, 2) == 0 &&
                  zip_number(bytes, end + 8, 2) == directory.members;
  if (end >= locator_size && zip_number(bytes, end - locator_size, 4) == locator_signature) {
    const std::uint64_t end64 = zip_number(bytes, end - locator_size + 8, 8);
    if (end64 > bytes.size() || bytes.size() - end64 < end64_size ||
        zip_number(bytes, end64, 4) != end64_signature) {
      damaged_archive("has no end");
    }
    directory = {zip_number(bytes, end64 + 32, 8), zip_number(bytes, end64 + 40, 8),
                 zip_number(bytes, end64 + 48, 8)};
    one_part = zip_number(bytes, end64 + 16, 4) == 0 && zip_number(bytes, end64 + 20, 4) == 0 &&
               zip_number(bytes, end64 + 24, 8) == directory.members;
  }
  if (!one_part) {
    damaged_archive("is of several parts");
  }
  if (directory.members > max_members) {
    damaged_archive("has " + std::to_string(directory.members) + " members, more than the " +
                    std::to_string(max_members) + " that a network may have");
  }
  if (directory.start > bytes.size() || directory.size > bytes.size() - directory.start) {
    damaged_archive("is cut short");
  }
  return directory;
}

}  // namespace

std::vector<ZipMember> read_zip_directory(std::string_view bytes) {
  const ZipDirectory directory = find_directory(bytes);
  const std::string_view entries = bytes.substr(directory.start, directory.size);
  std::vector<ZipMember> members;
  members.reserve(directory.members);
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < directory.members; ++i) {
    if (zip_number(entries, at, 4) != entry_signature) {
      damaged_archive("has a damaged directory");
    }
    const std::uint64_t name_size = zip_number(entries, at + 28, 2);
    const std::uint64_t rest = zip_number(entries, at + 30, 2) + zip_number(entries, at + 32, 2);
    ZipMember member;
    member.packed_bytes = zip_number(entries, at + 20, 4);
    member.unpacked_bytes = zip_number(entries, at + 24, 4);
    const std::uint64_t start = zip_number(entries, at + 42, 4);
    const std::uint64_t method = zip_number(entries, at + 10, 2);
    member.stored = method == 0;
    if ((zip_number(entries, at + 8, 2) & 1U) != 0 || (method != 0 && method != 8)) {
      damaged_archive("is encrypted or packed in a way that LibTorch does not write");
    }
    if (member.packed_bytes == in_64_bits || member.unpacked_bytes == in_64_bits ||
        start == in_64_bits) {
      damaged_archive("has a member of 4 GB");
    }
    if (start > bytes.size() || member.packed_bytes > bytes.size() - start ||
        (member.stored && member.packed_bytes != member.unpacked_bytes)) {
      damaged_archive("is cut short");
    }
    at += entry_size;
    if (entries.size() - at < name_size + rest) {
      damaged_archive("has a damaged directory");
    }
    member.name = std::string(entries.substr(at, name_size));
    at += name_size + rest;
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace srdiff
