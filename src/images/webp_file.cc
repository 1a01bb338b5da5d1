#include "images/webp_file.h"

#include <cstddef>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string_view>
#include <vector>

#include "images/byte_reader.h"

namespace srdiff {
namespace {

std::string little_endian(std::size_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) {
    text += static_cast<char>(value & 0xFF);
  }
  return text;
}

/// Where the data of the first chunk of a kind begins; 0 where there is none.
std::size_t find_chunk(const ByteReader& bytes, std::size_t offset, std::string_view kind) {
  while (offset + 8 <= bytes.size()) {
    if (bytes.has(offset, kind)) {
      return offset + 8;
    }
    const std::size_t size = bytes.little(offset + 4, 4);
    offset += 8 + size + size % 2;
  }
  return 0;
}

/// Where an animation's frame lies on the canvas, and its chunks.
struct Frame {
  cv::Rect place;
  std::string_view chunks;
};

Frame find_frame(const ByteReader& bytes) {
  constexpr std::size_t riff_header_bytes = 12;
  constexpr std::size_t frame_header_bytes = 16;
  const std::size_t data = find_chunk(bytes, riff_header_bytes, "ANMF");
  const std::size_t size = data == 0 ? 0 : bytes.little(data - 4, 4);
  if (size < frame_header_bytes || data + size > bytes.size()) {
    return {};
  }
  const auto number = [&](std::size_t at) { return static_cast<int>(bytes.little(data + at, 3)); };
  return {{2 * number(0), 2 * number(3), 1 + number(6), 1 + number(9)},
          bytes.bytes().substr(data + frame_header_bytes, size - frame_header_bytes)};
}

/// The frame as a file of its own. A lossy frame with alpha needs the extended header.
std::string still_picture(const Frame& frame) {
  std::string chunks(frame.chunks);
  if (ByteReader(frame.chunks).has(0, "ALPH")) {
    constexpr std::size_t alpha_flag = 0x10;
    chunks = "VP8X" + little_endian(10, 4) + little_endian(alpha_flag, 4) +
             little_endian(static_cast<std::size_t>(frame.place.width - 1), 3) +
             little_endian(static_cast<std::size_t>(frame.place.height - 1), 3) + chunks;
  }
  return "RIFF" + little_endian(4 + chunks.size(), 4) + "WEBP" + chunks;
}

}  // namespace

cv::Mat first_frame(const std::string& file, const ImageHeader& header) {
  const Frame frame = find_frame(ByteReader(file));
  const cv::Rect canvas(0, 0, static_cast<int>(header.width), static_cast<int>(header.height));
  if (frame.chunks.empty() || (frame.place & canvas) != frame.place) {
    return {};
  }
  const std::string still = still_picture(frame);
  const cv::Mat view(1, static_cast<int>(still.size()), CV_8UC1,
                     const_cast<char*>(still.data()));  // NOLINT: cv::Mat has no const view
  cv::Mat pixels = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  if (pixels.size() != frame.place.size()) {
    return {};
  }
  if (frame.place == canvas) {
    return pixels;
  }
  if (pixels.channels() == 3) {
    const std::vector<cv::Mat> with_alpha = {pixels,
                                             cv::Mat(pixels.size(), CV_8U, cv::Scalar(255))};
    cv::merge(with_alpha, pixels);
  }
  cv::Mat whole = cv::Mat::zeros(canvas.size(), CV_8UC4);
  pixels.copyTo(whole(frame.place));
  return whole;
}

std::string with_extended_header(const std::string& webp, std::int64_t width, std::int64_t height) {
  constexpr std::size_t riff_header_bytes = 12;
  constexpr std::size_t chunk_bytes = 18;
  if (webp.compare(0, 4, "RIFF") != 0 || webp.compare(riff_header_bytes, 4, "VP8X") == 0) {
    return webp;
  }
  std::string chunk("VP8X\x0a", 5);
  chunk.resize(chunk_bytes, '\0');
  std::string file = webp.substr(0, riff_header_bytes) + chunk + webp.substr(riff_header_bytes);
  const auto put = [&file](std::size_t offset, std::size_t bytes, std::uint64_t value) {
    for (std::size_t i = 0; i < bytes; ++i) {
      file[offset + i] = static_cast<char>(value >> 8 * i & 0xff);
    }
  };
  put(4, 4, file.size() - 8);
  put(riff_header_bytes + 12, 3, static_cast<std::uint64_t>(width - 1));
  put(riff_header_bytes + 15, 3, static_cast<std::uint64_t>(height - 1));
  return file;
}

}  // namespace srdiff
