#include "image_header.h"

#include <cstddef>
#include <string_view>

namespace srdiff {
namespace {

/// Bounds-checked reads of a file's bytes; past the end everything is 0.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size(); }
  std::uint8_t at(std::size_t i) const {
    return i < bytes_.size() ? static_cast<std::uint8_t>(bytes_[i]) : 0;
  }
  bool has(std::size_t offset, std::string_view text) const {
    return offset <= bytes_.size() && bytes_.substr(offset, text.size()) == text;
  }
  std::uint32_t big(std::size_t i, int count) const {
    std::uint32_t value = 0;
    for (int k = 0; k < count; ++k) {
      value = value << 8 | at(i + static_cast<std::size_t>(k));
    }
    return value;
  }
  std::uint32_t little(std::size_t i, int count) const {
    std::uint32_t value = 0;
    for (int k = count - 1; k >= 0; --k) {
      value = value << 8 | at(i + static_cast<std::size_t>(k));
    }
    return value;
  }

 private:
  std::string_view bytes_;
};

ImageHeader read_png(const Bytes& bytes) {
  ImageHeader header{ImageHeader::Format::png, bytes.big(16, 4), bytes.big(20, 4), true};
  std::size_t offset = 8;
  while (offset + 12 <= bytes.size()) {  // length, type, data, CRC
    const std::size_t length = bytes.big(offset, 4);
    const bool last = bytes.has(offset + 4, "IEND");
    offset += 12 + length;
    if (last) {
      header.truncated = offset > bytes.size();
      break;
    }
  }
  return header;
}

bool is_frame_header(int marker) {  // SOF0…SOF15 but DHT, JPG and DAC
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

ImageHeader read_jpeg(const Bytes& bytes) {
  ImageHeader header{ImageHeader::Format::jpeg, -1, -1, true};
  std::size_t offset = 2;
  while (offset + 4 <= bytes.size() && bytes.at(offset) == 0xFF) {
    const int marker = bytes.at(offset + 1);
    if (marker == 0xFF) {  // fill byte
      ++offset;
      continue;
    }
    if (is_frame_header(marker)) {
      header.height = bytes.big(offset + 5, 2);
      header.width = bytes.big(offset + 7, 2);
    }
    offset += 2 + bytes.big(offset + 2, 2);
    if (marker == 0xDA) {  // the scan follows; only its end marker is looked for
      break;
    }
  }
  for (std::size_t i = bytes.size(); i >= offset + 2 && header.truncated; --i) {
    header.truncated = !(bytes.at(i - 2) == 0xFF && bytes.at(i - 1) == 0xD9);
  }
  return header;
}

ImageHeader read_webp(const Bytes& bytes) {
  ImageHeader header{ImageHeader::Format::webp, -1, -1, false};
  header.truncated = std::size_t{8} + bytes.little(4, 4) > bytes.size();
  if (bytes.has(12, "VP8X")) {
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

ImageHeader read_bmp(const Bytes& bytes) {
  ImageHeader header{ImageHeader::Format::bmp, -1, -1, bytes.size() < 26};
  if (bytes.little(14, 4) == 12) {  // OS/2's header
    header.width = bytes.little(18, 2);
    header.height = bytes.little(20, 2);
  } else {
    header.width = static_cast<std::int32_t>(bytes.little(18, 4));
    const std::int64_t height = static_cast<std::int32_t>(bytes.little(22, 4));
    header.height = height < 0 ? -height : height;  // negative: rows from the top
  }
  return header;
}

ImageHeader read_tiff(const Bytes& bytes) {
  ImageHeader header{ImageHeader::Format::tiff, -1, -1, false};
  const bool little = bytes.at(0) == 'I';
  const auto number = [&](std::size_t i, int count) {
    return little ? bytes.little(i, count) : bytes.big(i, count);
  };
  const std::size_t directory = number(4, 4);
  header.truncated = directory + 2 > bytes.size();
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries && !header.truncated; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    header.truncated = entry + 12 > bytes.size();
    constexpr std::uint32_t short_type = 3;
    const std::uint32_t value = number(entry + 8, number(entry + 2, 2) == short_type ? 2 : 4);
    constexpr std::uint32_t width_tag = 256;
    constexpr std::uint32_t height_tag = 257;
    if (number(entry, 2) == width_tag) {
      header.width = value;
    } else if (number(entry, 2) == height_tag) {
      header.height = value;
    }
  }
  return header;
}

}  // namespace

ImageHeader read_image_header(const std::string& text) {
  using namespace std::string_view_literals;
  const Bytes bytes(text);
  if (bytes.has(0, "\x89PNG\r\n\x1a\n"sv)) {
    return read_png(bytes);
  }
  if (bytes.has(0, "\xFF\xD8\xFF"sv)) {
    return read_jpeg(bytes);
  }
  if (bytes.has(0, "RIFF"sv) && bytes.has(8, "WEBP"sv)) {
    return read_webp(bytes);
  }
  if (bytes.has(0, "II*\0"sv) || bytes.has(0, "MM\0*"sv)) {
    return read_tiff(bytes);
  }
  if (bytes.has(0, "BM"sv)) {
    return read_bmp(bytes);
  }
  return {};
}

}  // namespace srdiff
