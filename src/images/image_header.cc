#include "images/image_header.h"

#include <tiff.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <map>
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

/// Whether a chunk holds these numbers, in 1/100000 (PNG, 11.3.3). Writers round them in their own
/// ways.
template <std::size_t Count>
bool holds_about(const Bytes& bytes, std::size_t chunk,
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
  void look_at(const Bytes& bytes, std::size_t chunk) {
    /// White, red, green and blue, each x and y.
    constexpr std::array<std::int64_t, 8> srgb_primaries = {31270, 32900, 64000, 33000,
                                                            30000, 60000, 15000, 6000};
    constexpr std::array<std::int64_t, 1> srgb_gamma = {45455};
    const auto is = [&](std::string_view type) { return bytes.has(chunk + 4, type); };
    before_pixels_ = before_pixels_ && !is("IDAT");
    if (!before_pixels_) {
      return;
    }
    named_ = named_ || is("sRGB") || is("iCCP") || is("cICP");
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

ImageHeader read_png(const Bytes& bytes) {
  ImageHeader header{ImageFormat::png, bytes.big(16, 4), bytes.big(20, 4), true};
  const unsigned bits = bytes.at(24);
  const int colour_type = bytes.at(25);
  header.grey_alpha = colour_type == 4;
  PngColour colour;
  std::size_t offset = 8;
  while (offset + 12 <= bytes.size()) {  // length, type, data, CRC
    colour.look_at(bytes, offset);
    const std::size_t length = bytes.big(offset, 4);
    const bool last = bytes.has(offset + 4, "IEND");
    header.several_pictures |= bytes.has(offset + 4, "acTL");
    if (bytes.has(offset + 4, "tRNS") && colour_type == 0 && bits >= 1 && bits <= 16) {
      header.clear_grey = bytes.big(offset + 8, 2) / ((1U << bits) - 1.0);
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

constexpr const char* cmyk_advice =
    "is CMYK, whose colours depend on a printing profile; convert it to RGB first";

bool is_frame_header(int marker) {  // SOF0…SOF15 but DHT, JPG and DAC
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

ImageHeader read_jpeg(const Bytes& bytes) {
  ImageHeader header{ImageFormat::jpeg, -1, -1, true};
  std::size_t offset = 2;
  while (offset + 4 <= bytes.size() && bytes.at(offset) == 0xFF) {
    const int marker = bytes.at(offset + 1);
    if (marker == 0xFF) {  // fill byte
      ++offset;
      continue;
    }
    if (is_frame_header(marker)) {
      if (bytes.at(offset + 4) != 8) {
        header.unfit = "has " + std::to_string(bytes.at(offset + 4)) +
                       " bits a channel; convert it to 8 bits first";
      }
      if (bytes.at(offset + 9) == 4) {
        header.unfit = cmyk_advice;
      }
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
  ImageHeader header{ImageFormat::webp, -1, -1, false};
  header.truncated = std::size_t{8} + bytes.little(4, 4) > bytes.size();
  if (bytes.has(12, "VP8X")) {
    constexpr int animation_flag = 2;
    if ((bytes.at(20) & animation_flag) != 0) {
      header.unfit = "is an animation; take one picture out of it first";
    }
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

/// OpenCV takes 32 bits for BGRA, and finds the masks of 16 bits after a header of 40 bytes only.
void read_bmp_masks(const Bytes& bytes, ImageHeader& header) {
  constexpr std::uint32_t bit_fields = 3;
  if (bytes.little(30, 4) != bit_fields) {
    return;
  }
  using Masks = std::array<std::uint32_t, 3>;  // red, green, blue
  const Masks masks = {bytes.little(54, 4), bytes.little(58, 4), bytes.little(62, 4)};
  const std::uint32_t header_bytes = bytes.little(14, 4);
  const std::uint32_t alpha = header_bytes >= 56 ? bytes.little(66, 4) : 0;
  const std::uint32_t bits = bytes.little(28, 2);
  const bool bgr = masks == Masks{0xFF0000, 0xFF00, 0xFF} && (alpha == 0 || alpha == 0xFF000000);
  const bool high_colour = header_bytes == 40 && (masks == Masks{0xF800, 0x7E0, 0x1F} ||
                                                  masks == Masks{0x7C00, 0x3E0, 0x1F});
  if ((bits == 32 && !bgr) || (bits == 16 && !high_colour)) {
    header.unfit = "is a BMP with colour masks that srdiff does not read; convert it to PNG first";
  }
  if (alpha == 0) {
    header.fourth = ImageHeader::FourthChannel::no_alpha;
  }
}

ImageHeader read_bmp(const Bytes& bytes) {
  ImageHeader header{ImageFormat::bmp, -1, -1, bytes.size() < 26};
  if (bytes.little(14, 4) == 12) {
    header.unfit = "is a BMP of OS/2; convert it first";
    header.width = bytes.little(18, 2);
    header.height = bytes.little(20, 2);
  } else {
    header.width = static_cast<std::int32_t>(bytes.little(18, 4));
    const std::int64_t height = static_cast<std::int32_t>(bytes.little(22, 4));
    header.height = height < 0 ? -height : height;  // negative: rows from the top
    read_bmp_masks(bytes, header);
  }
  return header;
}

/// The first directory of a TIFF: tag to entry, as libtiff takes it, the first of a tag counting.
class TiffDirectory {
 public:
  explicit TiffDirectory(const Bytes& bytes) : bytes_(bytes), little_(bytes.at(0) == 'I') {
    const std::size_t start = number(4, 4);
    const std::size_t count = number(start, 2);
    const std::size_t end = start + 2 + entry_bytes * count;
    truncated_ = start + 2 > bytes.size() || end > bytes.size();
    for (std::size_t entry = start + 2; !truncated_ && entry < end; entry += entry_bytes) {
      entries_.emplace(number(entry, 2), entry);
    }
    more_ = !truncated_ && number(end, 4) != 0;
  }

  bool truncated() const { return truncated_; }
  bool has_more() const { return more_; }  ///< another directory follows

  /// Where a tag's first value is; 0 where the tag is absent or neither SHORT nor LONG.
  std::size_t offset(std::uint32_t tag) const {
    const auto found = entries_.find(tag);
    if (found == entries_.end() || value_bytes(found->second) == 0) {
      return 0;
    }
    const std::size_t entry = found->second;
    const bool inside = std::size_t{number(entry + 4, 4)} * value_bytes(entry) <= 4;
    return inside ? entry + 8 : number(entry + 8, 4);
  }

  /// A tag's first value.
  std::int64_t value(std::uint32_t tag, std::int64_t absent) const {
    const std::size_t at = offset(tag);
    return at == 0 ? absent : number(at, value_bytes(entries_.at(tag)));
  }

 private:
  static constexpr std::size_t entry_bytes = 12;

  std::uint32_t number(std::size_t i, int count) const {
    return little_ ? bytes_.little(i, count) : bytes_.big(i, count);
  }
  int value_bytes(std::size_t entry) const {
    const std::uint32_t type = number(entry + 2, 2);
    return type == TIFF_SHORT ? 2 : type == TIFF_LONG ? 4 : 0;
  }

  const Bytes& bytes_;
  bool little_;
  bool truncated_ = false;
  bool more_ = false;
  std::map<std::uint32_t, std::size_t> entries_;
};

/// What decides how a TIFF's samples are read.
struct TiffLayout {
  explicit TiffLayout(const TiffDirectory& directory)
      : bits(directory.value(TIFFTAG_BITSPERSAMPLE, 1)),
        photometric(directory.value(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK)),
        samples(directory.value(TIFFTAG_SAMPLESPERPIXEL, 1)),
        tile_width(directory.value(TIFFTAG_TILEWIDTH, 0)),
        tile_height(directory.value(TIFFTAG_TILELENGTH, 0)),
        in_planes(samples > 1 && directory.value(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) ==
                                     PLANARCONFIG_SEPARATE),
        compressed(directory.value(TIFFTAG_COMPRESSION, COMPRESSION_NONE) != COMPRESSION_NONE),
        signless(directory.value(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT) == SAMPLEFORMAT_UINT) {}

  std::int64_t bits;
  std::int64_t photometric;
  std::int64_t samples;
  std::int64_t tile_width;
  std::int64_t tile_height;
  bool in_planes;
  bool compressed;
  bool signless;  ///< its samples are unsigned integers

  /// OpenCV hands deep samples on without a look at how they are laid out.
  bool is_deep_and_odd() const {
    return bits > 8 && (in_planes || photometric == PHOTOMETRIC_MINISWHITE);
  }

  /// libtiff's conversion to RGBA takes an uncompressed tile's bytes, rounded up, for damage.
  bool has_tiles_of_odd_size() const {
    const std::int64_t row_bits = tile_width * bits * (in_planes ? 1 : samples);
    return !compressed && bits <= 8 && (row_bits + 7) / 8 * tile_height % 1024 != 0;
  }

  bool is_read_as_stored() const {
    const bool eight = bits == 8 && has_tiles_of_odd_size();
    const bool sixteen = bits == 16 && is_deep_and_odd();
    return photometric <= PHOTOMETRIC_RGB && signless && (eight || sixteen);
  }
};

std::string why_samples_are_unfit(const TiffLayout& tiff) {
  if (tiff.bits > 8 &&
      (tiff.photometric == PHOTOMETRIC_PALETTE || tiff.photometric == PHOTOMETRIC_YCBCR)) {
    return std::string(tiff.photometric == PHOTOMETRIC_PALETTE ? "has a palette" : "is YCbCr") +
           " of " + std::to_string(tiff.bits) +
           " bits, which srdiff does not read; convert it to RGB first";
  }
  if (tiff.is_read_as_stored() || !tiff.signless) {
    return {};
  }
  if (tiff.is_deep_and_odd()) {
    return "has " + std::to_string(tiff.bits) +
           " bits a channel, in planes or with white as 0; convert it to 16 bits first";
  }
  if (tiff.has_tiles_of_odd_size()) {
    return "has uncompressed tiles of a kind that srdiff does not read; save it in strips first";
  }
  return {};
}

/// OpenCV decodes more kinds than it decodes right.
std::string why_tiff_is_unfit(const TiffLayout& tiff) {
  constexpr std::int64_t max_tile_pixels = std::int64_t{1} << 24;
  if (tiff.tile_height != 0 && tiff.tile_width > max_tile_pixels / tiff.tile_height) {
    return "has tiles of " + std::to_string(tiff.tile_width) + "x" +
           std::to_string(tiff.tile_height) + " pixels; save it in strips first";
  }
  if (tiff.photometric == PHOTOMETRIC_SEPARATED) {
    return cmyk_advice;
  }
  if (tiff.photometric > PHOTOMETRIC_YCBCR || tiff.photometric == PHOTOMETRIC_MASK) {
    return "has colours of a kind that srdiff does not read (photometric interpretation " +
           std::to_string(tiff.photometric) + "); convert it to RGB first";
  }
  const std::int64_t samples = tiff.samples;
  const bool one_channel =
      tiff.photometric <= PHOTOMETRIC_MINISBLACK || tiff.photometric == PHOTOMETRIC_PALETTE;
  if (one_channel ? samples != 1
                  : samples != 3 && (samples != 4 || tiff.photometric != PHOTOMETRIC_RGB)) {
    return "is a TIFF with " + std::to_string(samples) +
           " channels of a kind that srdiff does not read; convert it to PNG first";
  }
  return why_samples_are_unfit(tiff);
}

ImageHeader read_tiff(const Bytes& bytes) {
  ImageHeader header{ImageFormat::tiff, -1, -1, false};
  const TiffDirectory directory(bytes);
  header.truncated = directory.truncated();
  header.width = directory.value(TIFFTAG_IMAGEWIDTH, -1);
  header.height = directory.value(TIFFTAG_IMAGELENGTH, -1);
  const TiffLayout layout(directory);
  header.unfit = why_tiff_is_unfit(layout);
  header.opencv_misreads = header.unfit.empty() && layout.is_read_as_stored();
  const std::int64_t orientation = directory.value(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  header.orientation =
      orientation <= ORIENTATION_LEFTBOT ? static_cast<int>(orientation) : ORIENTATION_TOPLEFT;
  header.several_pictures = directory.has_more();
  header.extra_sample_offset = directory.offset(TIFFTAG_EXTRASAMPLES);
  switch (directory.value(TIFFTAG_EXTRASAMPLES, EXTRASAMPLE_UNASSALPHA)) {
    case EXTRASAMPLE_UNSPECIFIED:
      header.fourth = ImageHeader::FourthChannel::no_alpha;
      break;
    case EXTRASAMPLE_ASSOCALPHA:
      header.fourth = ImageHeader::FourthChannel::premultiplied_alpha;
      break;
    default:
      break;
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
