#include <cstddef>

#include "images/image_header.h"

namespace srdiff {

ImageHeader read_webp_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::webp, -1, -1, false};
  header.truncated = std::size_t{8} + bytes.little(4, 4) > bytes.size();
  if (bytes.has(12, "VP8X")) {
    constexpr int animation_flag = 2;
    header.several_pictures = (bytes.at(20) & animation_flag) != 0;
    header.width = 1 + std::int64_t{bytes.little(24, 3)};
    header.height = 1 + std::int64_t{bytes.little(27, 3)};
  } else if (bytes.has(12, "VP8L")) {
    const std::uint32_t bits = bytes.little(21, 4);
    header.width = 1 + (bits & 0x3FFF);
    header.height = 1 + ((bits >> 14) & 0x3FFF);
  } else if (bytes.has(12, "VP8 ")) {
    header.width = bytes.little(26, 2) & 0x3FFF;
    header.height = bytes.little(28, 2) & 0x3FFF;
  }
  return header;
}

}  // namespace srdiff
