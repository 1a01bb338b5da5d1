#include "png_colour.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace srdiff {
namespace {

constexpr std::size_t number_bytes = 4;

std::int64_t png_number(std::string_view bytes, std::size_t offset) {
  std::int64_t value = 0;
  for (const char byte : bytes.substr(offset, number_bytes)) {
    value = value << 8 | static_cast<unsigned char>(byte);
  }
  return value;
}

/// PNG, 11.3.3: values times 100000. Writers round them in their own ways.
template <std::size_t count>
bool are_about(std::string_view data, const std::array<std::int64_t, count>& expected) {
  constexpr std::int64_t tolerance = 100;
  for (std::size_t i = 0; i < count; ++i) {
    if (data.size() != count * number_bytes ||
        std::abs(png_number(data, i * number_bytes) - expected[i]) > tolerance) {
      return false;
    }
  }
  return true;
}

/// White, red, green and blue, each x and y.
constexpr std::array<std::int64_t, 8> srgb_primaries = {31270, 32900, 64000, 33000,
                                                        30000, 60000, 15000, 6000};
constexpr std::array<std::int64_t, 1> srgb_gamma = {45455};

}  // namespace

std::string foreign_colour_chunks(const std::string& file) {
  constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
  constexpr std::size_t chunk_frame = 3 * number_bytes;  // its length, type and check sum
  std::string_view left(file);
  if (left.substr(0, signature.size()) != signature) {
    return {};
  }
  left.remove_prefix(signature.size());
  std::string found;
  while (left.size() >= chunk_frame) {
    const auto length = static_cast<std::size_t>(png_number(left, 0));
    const std::string_view type = left.substr(number_bytes, number_bytes);
    const std::string_view data = left.substr(2 * number_bytes, length);
    if (type == "sRGB" || type == "iCCP" || type == "cICP") {
      return {};
    }
    if (type == "IDAT") {  // what says how colours are meant stands before
      break;
    }
    if ((type == "gAMA" && !are_about(data, srgb_gamma)) ||
        (type == "cHRM" && !are_about(data, srgb_primaries))) {
      found += (found.empty() ? "" : ", ") + std::string(type);
    }
    left.remove_prefix(std::min(left.size(), chunk_frame + length));
  }
  return found;
}

}  // namespace srdiff
