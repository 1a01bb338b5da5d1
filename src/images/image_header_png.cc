#include <array>
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "images/image_header.h"
#include "images/pixels_a_metre.h"

namespace srdiff {
namespace {

/// Whether a chunk holds these numbers, in 1/100000 (PNG, 11.3.3). Writers round them in their own
/// ways.
template <std::size_t Count>
bool holds_about(const ByteReader& bytes, std::size_t chunk,
                 const std::array<std::int64_t, Count>& expected) {
  constexpr std::int64_t tolerance = 100;
  bool all = bytes.big(chunk, 4) == 4 * Count;
  for (std::size_t i = 0; i < Count; ++i) {
    all = all && std::abs(bytes.big(chunk + 8 + 4 * i, 4) - expected[i]) <= tolerance;
  }
  return all;
}

/// What the chunks before a PNG's pixels say of its colours.
class PngColour {
 public:
  void look_at(const ByteReader& bytes, std::size_t chunk) {
    /// White, red, green and blue, each x and y.
    constexpr std::array<std::int64_t, 8> srgb_primaries = {31270, 32900, 64000, 33000,
                                                            30000, 60000, 15000, 6000};
    constexpr std::array<std::int64_t, 1> srgb_gamma = {45455};
    const auto is = [&](std::string_view type) { return bytes.has(chunk + 4, type); };
    before_pixels_ = before_pixels_ && !is("IDAT");
    if (!before_pixels_) {
      return;
    }
    named_ = named_ || is("sRGB") || is("iCCP") || is("cICP");  // cICP is carried or warned of
    if ((is("gAMA") && !holds_about(bytes, chunk, srgb_gamma)) ||
        (is("cHRM") && !holds_about(bytes, chunk, srgb_primaries))) {
      foreign_ += (foreign_.empty() ? "" : ", ") + std::string(is("gAMA") ? "gAMA" : "cHRM");
    }
  }

  /// Those that say that they are not sRGB, where no other chunk names them.
  std::string foreign() const { return named_ ? "" : foreign_; }

 private:
  bool before_pixels_ = true;
  bool named_ = false;
  std::string foreign_;
};

void read_physical_size(const ByteReader& bytes, std::size_t data, ImageHeader& header) {
  const std::uint32_t x = bytes.big(data, 4);
  const std::uint32_t y = bytes.big(data + 4, 4);
  const bool in_metres = bytes.at(data + 8) == 1;
  if (x == 0 || y == 0) {
    return;
  }
  if (in_metres) {
    header.beside.resolution = Resolution{pixels_an_inch(x), pixels_an_inch(y), 2};
  } else if (x != y) {
    header.beside.resolution = Resolution{static_cast<float>(x), static_cast<float>(y), 1};
  }
}

/// Whether Exiv2 reads a text chunk as EXIF, XMP, IPTC or a profile.
bool is_metadata_text(std::string_view text) {
  using namespace std::string_view_literals;
  return text.substr(0, 17) == "XML:com.adobe.xmp"sv || text.substr(0, 17) == "Raw profile type "sv;
}

void read_beside(const ByteReader& bytes, std::size_t chunk, std::size_t length,
                 ImageHeader& header) {
  const std::string_view type = bytes.bytes().substr(chunk + 4, 4);
  const std::string_view data = bytes.bytes().substr(chunk + 8, length);
  if (type == "pHYs" && length == 9) {
    read_physical_size(bytes, chunk + 8, header);
  } else if (type == "cICP" && length == 4) {
    header.beside.cicp = data;
  } else if ((type == "tEXt" || type == "zTXt" || type == "iTXt") && !is_metadata_text(data) &&
             data.size() == length) {
    header.beside.png_text.emplace_back(std::string(type) + std::string(data));
  }
}

}  // namespace

ImageHeader read_png_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::png, bytes.big(16, 4), bytes.big(20, 4), true};
  const unsigned bits = bytes.at(24);
  const int colour_type = bytes.at(25);
  header.grey_alpha = colour_type == 4;
  PngColour colour;
  std::size_t offset = 8;
  while (offset + 12 <= bytes.size()) {  // length, type, data, CRC
    colour.look_at(bytes, offset);
    const std::size_t length = bytes.big(offset, 4);
    read_beside(bytes, offset, length, header);
    const bool last = bytes.has(offset + 4, "IEND");
    header.several_pictures |= bytes.has(offset + 4, "acTL");
    if (bytes.has(offset + 4, "tRNS") && colour_type == 0 && bits >= 1 && bits <= 16) {
      // As in libpng, bits beyond the samples' own say nothing: Pillow writes 255 for 1 bit.
      const std::uint32_t top = (1U << bits) - 1;
      header.clear_grey = static_cast<double>(bytes.big(offset + 8, 2) & top) / top;
    }
    offset += 12 + length;
    if (last) {
      header.truncated = offset > bytes.size();
      break;
    }
  }
  header.foreign_colour = colour.foreign();
  return header;
}

}  // namespace srdiff
