#include "images/iso_media.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace srdiff {
namespace {

constexpr std::size_t box_header_bytes = 8;

std::uint64_t big64(const ByteReader& bytes, std::size_t offset) {
  return std::uint64_t{bytes.big(offset, 4)} << 32 | bytes.big(offset + 4, 4);
}

/// Calls `use(contents' offset)` for each place where a box of this type may begin. Boxes lie in
/// others, and what looks like one inside other data is asked too.
template <typename Use>
void for_each_box(const ByteReader& bytes, std::string_view type, const Use& use) {
  for (std::size_t at = bytes.bytes().find(type); at != std::string_view::npos;
       at = bytes.bytes().find(type, at + 1)) {
    use(at + type.size());
  }
}

}  // namespace

ImageFormat format_of_brands(const ByteReader& bytes) {
  if (!bytes.has(4, "ftyp")) {
    return ImageFormat::unknown;
  }
  constexpr std::array<std::string_view, 8> heic = {"heic", "heix", "hevc", "hevx",
                                                    "heim", "heis", "mif1", "msf1"};
  const auto end = std::min<std::size_t>({bytes.big(0, 4), bytes.size(), 1024});
  ImageFormat found = ImageFormat::unknown;
  for (std::size_t at = 8; at + 4 <= end; at += 4) {
    const std::string_view brand = bytes.bytes().substr(at, 4);
    if (brand == "avif" || brand == "avis") {
      return ImageFormat::avif;
    }
    if (std::find(heic.begin(), heic.end(), brand) != heic.end()) {
      found = ImageFormat::heic;
    }
  }
  return found;
}

bool has_cut_box(const ByteReader& bytes) {
  constexpr std::array<std::string_view, 14> known = {"ftyp", "meta", "mdat", "moov", "JXL ",
                                                      "jxll", "jxlc", "jxlp", "Exif", "xml ",
                                                      "brob", "free", "skip", "uuid"};
  std::size_t offset = 0;
  while (offset + box_header_bytes <= bytes.size()) {
    const std::string_view type = bytes.bytes().substr(offset + 4, 4);
    if (std::find(known.begin(), known.end(), type) == known.end()) {
      return false;  // what follows the picture is nobody's concern
    }
    std::uint64_t size = bytes.big(offset, 4);
    if (size == 0) {
      return false;  // to the end of the file
    }
    if (size == 1) {
      size = big64(bytes, offset + box_header_bytes);
    }
    if (size < box_header_bytes || size > bytes.size() - offset) {
      return true;
    }
    offset += static_cast<std::size_t>(size);
  }
  return false;
}

ItemSize largest_item(const ByteReader& bytes) {
  ItemSize largest;
  double most = 0.0;
  for_each_box(bytes, "ispe", [&](std::size_t at) {
    constexpr std::size_t version_and_flags = 4;
    const ItemSize size = {bytes.big(at + version_and_flags, 4),
                           bytes.big(at + version_and_flags + 4, 4)};
    const double pixels = static_cast<double>(size.width) * static_cast<double>(size.height);
    if (pixels > most) {
      most = pixels;
      largest = size;
    }
  });
  return largest;
}

bool is_monochrome_hevc(const ByteReader& bytes) {
  bool any = false;
  bool all = true;
  for_each_box(bytes, "hvcC", [&](std::size_t at) {
    constexpr std::size_t chroma_format = 16;
    if (bytes.at(at) == 1) {  // its version
      any = true;
      all = all && (bytes.at(at + chroma_format) & 3) == 0;
    }
  });
  return any && all;
}

std::string exif_without_prefix(std::string_view block) {
  using namespace std::string_view_literals;
  constexpr std::size_t longest_prefix = 64;
  const std::string_view start = block.substr(0, longest_prefix);
  const std::size_t at = std::min(start.find("II*\0"sv), start.find("MM\0*"sv));
  return std::string(at == std::string_view::npos ? block : block.substr(at));
}

}  // namespace srdiff
