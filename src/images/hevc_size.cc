#include "images/hevc_size.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace srdiff {
namespace {

constexpr unsigned sequence_parameters = 33;  // the type of these units
constexpr std::size_t most_unit_bytes = 1024;

/// Reads bits, the highest of each byte first; past the end all are 0.
class BitReader {
 public:
  explicit BitReader(std::string bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t bits(int count) {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      const ByteReader reader(bytes_);
      value = value << 1 | (reader.at(at_ / 8) >> (7 - at_ % 8) & 1U);
    }
    return value;
  }
  void skip(std::size_t count) { at_ += count; }

  /// An Exp-Golomb number (9.2).
  std::uint64_t number() {
    int zeros = 0;
    while (zeros < 32 && bits(1) == 0) {
      ++zeros;
    }
    return (std::uint64_t{1} << zeros) - 1 + bits(zeros);
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

/// A unit's bytes without those that keep start codes out of it.
std::string unescaped(std::string_view unit) {
  std::string bytes;
  int zeros = 0;
  for (const char c : unit) {
    if (zeros >= 2 && c == '\x03') {
      zeros = 0;
      continue;
    }
    zeros = c == '\0' ? zeros + 1 : 0;
    bytes += c;
  }
  return bytes;
}

/// Profile, tier and level (7.3.3), of which nothing is wanted.
void skip_profile(BitReader& reader, unsigned sub_layers) {
  constexpr std::size_t profile_bits = 88;
  constexpr std::size_t level_bits = 8;
  reader.skip(profile_bits + level_bits);
  if (sub_layers == 0) {
    return;
  }
  std::size_t bits = 0;
  for (unsigned i = 0; i < sub_layers; ++i) {
    bits += reader.bits(1) * profile_bits;
    bits += reader.bits(1) * level_bits;
  }
  reader.skip(std::size_t{2} * (8 - sub_layers) + bits);
}

ItemSize frame_of(std::string_view unit) {
  BitReader reader(unescaped(unit));
  reader.skip(16 + 4);  // the unit's header, which video parameters it belongs to
  const auto sub_layers = static_cast<unsigned>(reader.bits(3));
  reader.skip(1);
  skip_profile(reader, sub_layers);
  reader.number();
  constexpr std::uint64_t full_colour = 3;
  if (reader.number() == full_colour) {
    reader.skip(1);
  }
  const auto width = static_cast<std::int64_t>(reader.number());
  const auto height = static_cast<std::int64_t>(reader.number());
  return {width, height};
}

/// Whether a unit begins here: in the box hvcC, behind its type, number and a length of 16 bits, or
/// among the data, behind a length of 32.
bool begins_unit(const ByteReader& bytes, std::size_t at) {
  const bool in_box = at >= 5 && (bytes.at(at - 5) & 63U) == sequence_parameters;
  const bool in_data =
      at >= 4 && bytes.big(at - 4, 4) >= 8 && bytes.big(at - 4, 4) < most_unit_bytes;
  return in_box || in_data;
}

}  // namespace

ItemSize largest_hevc_frame(const ByteReader& bytes) {
  constexpr std::string_view header("\x42\x01", 2);  // such a unit's
  ItemSize largest;
  double most = 0.0;
  for (std::size_t at = bytes.bytes().find(header); at != std::string_view::npos;
       at = bytes.bytes().find(header, at + 1)) {
    if (!begins_unit(bytes, at)) {
      continue;
    }
    const ItemSize frame = frame_of(bytes.bytes().substr(at, most_unit_bytes));
    const double pixels = static_cast<double>(frame.width) * static_cast<double>(frame.height);
    if (pixels > most) {
      most = pixels;
      largest = frame;
    }
  }
  return largest;
}

}  // namespace srdiff
