#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "images/image_header.h"

namespace srdiff {
namespace {

/// Encoders write up to about 20 scans, and a profile in up to 255 segments. libjpeg spends the
/// time of a whole picture on each scan, and Exiv2 that of a whole file on each segment.
constexpr int max_segments = 4096;

/// Of a picture's scans: two thousand million pixels in all, but no more than 100 and no less
/// than 20.
std::int64_t max_scans(const ImageHeader& header) {
  constexpr std::int64_t max_pixels = std::int64_t{1} << 31;
  const std::int64_t pixels = std::max<std::int64_t>(1, header.width * header.height);
  return std::clamp<std::int64_t>(max_pixels / pixels, 20, 100);
}

constexpr int application_0 = 0xE0;
constexpr int comment = 0xFE;
constexpr int start_of_scan = 0xDA;
constexpr int end_of_image = 0xD9;

bool is_frame_header(int marker) {  // SOF0…SOF15 but DHT, JPG and DAC
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// RST0…RST7, SOI and TEM, which no length follows.
bool stands_alone(int marker) {
  return (marker >= 0xD0 && marker <= 0xD8) || marker == 0x01;
}

/// Where the next marker's second byte is, from `offset` on; the file's end where none comes.
/// Bytes before it, of a scan or strays that cameras leave between segments, are passed over.
std::size_t next_marker(const ByteReader& bytes, std::size_t offset) {
  while (true) {
    offset = bytes.bytes().find('\xFF', offset);
    while (offset < bytes.size() && bytes.at(offset) == 0xFF) {
      ++offset;  // fill bytes
    }
    if (offset >= bytes.size()) {
      return bytes.size();
    }
    if (bytes.at(offset) != 0) {
      return offset;
    }
  }
}

void read_frame(const ByteReader& bytes, std::size_t segment, ImageHeader& header) {
  if (bytes.at(segment + 2) != 8) {
    header.unfit = "has " + std::to_string(bytes.at(segment + 2)) +
                   " bits a channel; convert it to 8 bits first";
  }
  header.cmyk = bytes.at(segment + 7) == 4;
  header.height = bytes.big(segment + 3, 2);
  header.width = bytes.big(segment + 5, 2);
}

/// JFIF's density. Encoders write 1x1 without a unit where they know none.
void read_density(const ByteReader& bytes, std::size_t segment, ImageHeader& header) {
  constexpr std::size_t unit_offset = 9;
  const Resolution found = {static_cast<float>(bytes.big(segment + unit_offset + 1, 2)),
                            static_cast<float>(bytes.big(segment + unit_offset + 3, 2)),
                            bytes.at(segment + unit_offset) + 1};
  const bool says_something =
      found.unit == 2 || found.unit == 3 || (found.unit == 1 && found.x != found.y);
  if (found.x > 0 && found.y > 0 && says_something) {
    header.beside.resolution = found;
  }
}

void look_behind_picture(std::string_view rest, ImageHeader& header) {
  using namespace std::string_view_literals;
  header.several_pictures = rest.find("\xFF\xD8\xFF"sv) != std::string_view::npos;
  header.holds_video = rest.find("ftyp"sv) != std::string_view::npos;
}

}  // namespace

ImageHeader read_jpeg_header(const ByteReader& bytes) {
  using namespace std::string_view_literals;
  ImageHeader header{ImageFormat::jpeg, -1, -1, true};
  int scans = 0;
  int segments = 0;
  std::size_t offset = next_marker(bytes, 2);
  std::size_t first_scan = bytes.size();
  for (; offset < bytes.size(); offset = next_marker(bytes, offset)) {
    const int marker = bytes.at(offset);
    ++offset;
    if (marker == end_of_image && scans > 0) {
      look_behind_picture(bytes.bytes().substr(offset), header);
      break;
    }
    if (stands_alone(marker) || marker == end_of_image) {
      continue;
    }
    if (is_frame_header(marker) && header.width < 0) {
      read_frame(bytes, offset, header);
    }
    const std::size_t length = bytes.big(offset, 2);
    if (marker == application_0 && bytes.has(offset + 2, "JFIF\0"sv)) {
      read_density(bytes, offset, header);
    }
    if (marker == comment && length > 2 && offset + length <= bytes.size() &&
        segments < max_segments) {
      header.beside.comments.emplace_back(bytes.bytes().substr(offset + 2, length - 2));
    }
    ++segments;
    offset += length;
    if (marker == start_of_scan) {
      ++scans;
      first_scan = std::min(first_scan, offset);
    }
  }
  if (segments > max_segments || scans > max_scans(header)) {
    header.unfit = "is made of " + std::to_string(segments > max_segments ? segments : scans) +
                   (segments > max_segments ? " segments" : " scans") +
                   ", more than pictures have; save it anew first";
  }
  for (std::size_t i = bytes.size(); i >= first_scan + 2 && header.truncated; --i) {
    header.truncated = !(bytes.at(i - 2) == 0xFF && bytes.at(i - 1) == end_of_image);
  }
  return header;
}

}  // namespace srdiff
