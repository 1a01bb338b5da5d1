#include <tiff.h>

#include <cstddef>
#include <map>

#include "images/image_header.h"

namespace srdiff {
namespace {

/// The first directory of a TIFF or a BigTIFF: tag to entry, as libtiff takes it, the first of a
/// tag counting.
class TiffDirectory {
 public:
  explicit TiffDirectory(const ByteReader& bytes)
      : bytes_(bytes),
        little_(bytes.at(0) == 'I'),
        big_tiff_(bytes.at(2) == '+' || bytes.at(3) == '+') {
    const std::size_t start = number(big_tiff_ ? 8 : 4, offset_bytes());
    const int count_bytes = big_tiff_ ? 8 : 2;
    const std::size_t count = number(start, count_bytes);
    const std::size_t first = start + static_cast<std::size_t>(count_bytes);
    truncated_ = start >= bytes.size() || first > bytes.size() ||
                 count > (bytes.size() - first) / entry_bytes();
    for (std::size_t i = 0; !truncated_ && i < count; ++i) {
      const std::size_t entry = first + i * entry_bytes();
      entries_.emplace(static_cast<std::uint32_t>(number(entry, 2)), entry);
    }
    more_ = !truncated_ && number(first + count * entry_bytes(), offset_bytes()) != 0;
  }

  bool is_big_tiff() const { return big_tiff_; }
  bool truncated() const { return truncated_; }
  bool has_more() const { return more_; }  ///< another directory follows

  /// How many values a tag has; 0 where it is absent or not of whole numbers.
  std::size_t count(std::uint32_t tag) const {
    const auto found = entries_.find(tag);
    return found == entries_.end() || value_bytes(found->second) == 0
               ? 0
               : number(found->second + 4, offset_bytes());
  }

  /// A tag's value number `index`.
  std::int64_t value(std::uint32_t tag, std::int64_t absent, std::size_t index = 0) const {
    if (index >= count(tag)) {
      return absent;
    }
    const std::size_t entry = entries_.at(tag);
    const int size = value_bytes(entry);
    const auto width = static_cast<std::size_t>(offset_bytes());
    const std::size_t field = entry + 4 + width;
    const bool inside = count(tag) <= width / static_cast<std::size_t>(size);
    const std::size_t first = inside ? field : number(field, offset_bytes());
    const std::size_t place = first + index * static_cast<std::size_t>(size);
    return static_cast<std::int64_t>(number(place, size));
  }

 private:
  int offset_bytes() const { return big_tiff_ ? 8 : 4; }
  std::size_t entry_bytes() const { return big_tiff_ ? 20 : 12; }

  std::size_t number(std::size_t i, int count) const {
    std::size_t value = 0;
    for (int k = 0; k < count; ++k) {
      const int byte = little_ ? count - 1 - k : k;
      value = value << 8 | bytes_.at(i + static_cast<std::size_t>(byte));
    }
    return value;
  }
  int value_bytes(std::size_t entry) const {
    switch (number(entry + 2, 2)) {
      case TIFF_BYTE:
        return 1;
      case TIFF_SHORT:
        return 2;
      case TIFF_LONG:
        return 4;
      case TIFF_LONG8:
        return 8;
      default:
        return 0;
    }
  }

  const ByteReader& bytes_;
  bool little_;
  bool big_tiff_;
  bool truncated_ = false;
  bool more_ = false;
  std::map<std::uint32_t, std::size_t> entries_;
};

/// What decides whether and how a TIFF's samples are read.
struct TiffLayout {
  explicit TiffLayout(const TiffDirectory& directory)
      : bits(directory.value(TIFFTAG_BITSPERSAMPLE, 1)),
        photometric(directory.value(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK)),
        samples(directory.value(TIFFTAG_SAMPLESPERPIXEL, 1)),
        tile_width(directory.value(TIFFTAG_TILEWIDTH, 0)),
        tile_height(directory.value(TIFFTAG_TILELENGTH, 0)),
        sample_format(directory.value(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT)),
        ink_set(directory.value(TIFFTAG_INKSET, INKSET_CMYK)),
        jpeg(directory.value(TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_JPEG) {}

  std::int64_t bits;
  std::int64_t photometric;
  std::int64_t samples;
  std::int64_t tile_width;
  std::int64_t tile_height;
  std::int64_t sample_format;
  std::int64_t ink_set;
  bool jpeg;

  /// Of the channels, those that are colours; 0 for colours that are not read.
  std::int64_t colours() const {
    switch (photometric) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_PALETTE:
        return 1;
      case PHOTOMETRIC_RGB:
      case PHOTOMETRIC_YCBCR:
      case PHOTOMETRIC_CIELAB:
      case PHOTOMETRIC_ICCLAB:
        return 3;
      case PHOTOMETRIC_SEPARATED:
        return ink_set == INKSET_CMYK ? 4 : 0;
      default:
        return 0;
    }
  }
};

std::string why_samples_are_unfit(const TiffLayout& tiff) {
  const std::string bits = std::to_string(tiff.bits);
  if (tiff.sample_format == SAMPLEFORMAT_IEEEFP) {
    const bool sized = tiff.bits == 16 || tiff.bits == 32 || tiff.bits == 64;
    return sized && tiff.photometric <= PHOTOMETRIC_RGB
               ? ""
               : "has floating-point samples of a kind that srdiff does not read; convert it to "
                 "16 bits first";
  }
  if (tiff.photometric == PHOTOMETRIC_PALETTE && tiff.bits > 8) {
    return "has a palette of " + bits +
           " bits, which srdiff does not read; convert it to RGB first";
  }
  const bool eight_only = tiff.photometric == PHOTOMETRIC_YCBCR;
  if (eight_only && tiff.bits != 8) {
    return "is YCbCr of " + bits + " bits, which srdiff does not read; convert it to RGB first";
  }
  const bool lab = tiff.photometric == PHOTOMETRIC_CIELAB || tiff.photometric == PHOTOMETRIC_ICCLAB;
  if (lab && tiff.bits != 8 && tiff.bits != 16) {
    return "is Lab of " + bits + " bits, which srdiff does not read; convert it to RGB first";
  }
  const bool whole_numbers = tiff.sample_format == SAMPLEFORMAT_UINT ||
                             tiff.sample_format == SAMPLEFORMAT_INT ||
                             tiff.sample_format == SAMPLEFORMAT_VOID;
  if (tiff.bits < 1 || tiff.bits > 16 || !whole_numbers) {
    return "has samples of " + bits +
           " bits of a kind that srdiff does not read; convert it to 16 bits first";
  }
  return {};
}

std::string why_tiff_is_unfit(const TiffLayout& tiff) {
  constexpr std::int64_t max_tile_pixels = std::int64_t{1} << 24;
  constexpr std::int64_t max_samples = 16;
  if (tiff.tile_height < 0 || tiff.tile_width < 0 ||
      (tiff.tile_height != 0 && tiff.tile_width > max_tile_pixels / tiff.tile_height)) {
    return "has tiles of " + std::to_string(tiff.tile_width) + "x" +
           std::to_string(tiff.tile_height) + " pixels; save it in strips first";
  }
  if (tiff.colours() == 0) {
    return "has colours of a kind that srdiff does not read (photometric interpretation " +
           std::to_string(tiff.photometric) + "); convert it to RGB first";
  }
  if (tiff.samples < tiff.colours() || tiff.samples > max_samples ||
      (tiff.photometric == PHOTOMETRIC_YCBCR && tiff.samples != 3)) {
    return "is a TIFF with " + std::to_string(tiff.samples) +
           " channels of a kind that srdiff does not read; convert it to PNG first";
  }
  return why_samples_are_unfit(tiff);
}

/// The first channel beyond the colours that is called alpha. A single one that nothing is said of
/// is taken for straight alpha.
void find_alpha(const TiffDirectory& directory, const TiffLayout& layout, ImageHeader& header) {
  const std::int64_t colours = layout.colours();
  header.extra_channels = static_cast<int>(layout.samples - colours);
  header.alpha = ImageHeader::Alpha::none;
  for (int i = 0; i < header.extra_channels; ++i) {
    const std::int64_t unsaid =
        header.extra_channels == 1 ? EXTRASAMPLE_UNASSALPHA : EXTRASAMPLE_UNSPECIFIED;
    const std::int64_t kind =
        directory.value(TIFFTAG_EXTRASAMPLES, unsaid, static_cast<std::size_t>(i));
    if (kind == EXTRASAMPLE_ASSOCALPHA || kind == EXTRASAMPLE_UNASSALPHA) {
      header.alpha = kind == EXTRASAMPLE_ASSOCALPHA ? ImageHeader::Alpha::premultiplied
                                                    : ImageHeader::Alpha::straight;
      header.alpha_channel = static_cast<int>(colours) + i;
      return;
    }
  }
}

}  // namespace

ImageHeader read_tiff_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::tiff, -1, -1, false};
  const TiffDirectory directory(bytes);
  header.truncated = directory.truncated();
  header.big_tiff = directory.is_big_tiff();
  header.width = directory.value(TIFFTAG_IMAGEWIDTH, -1);
  header.height = directory.value(TIFFTAG_IMAGELENGTH, -1);
  const TiffLayout layout(directory);
  header.unfit = why_tiff_is_unfit(layout);
  header.cmyk = layout.photometric == PHOTOMETRIC_SEPARATED;
  header.rgba_only = layout.photometric == PHOTOMETRIC_YCBCR && !layout.jpeg;
  if (header.rgba_only && header.big_tiff && header.unfit.empty()) {
    header.unfit = "is a BigTIFF in YCbCr, which srdiff does not read; convert it to RGB first";
  }
  const std::int64_t orientation = directory.value(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  header.orientation = orientation >= ORIENTATION_TOPLEFT && orientation <= ORIENTATION_LEFTBOT
                           ? static_cast<int>(orientation)
                           : ORIENTATION_TOPLEFT;
  header.several_pictures = directory.has_more();
  if (header.unfit.empty()) {
    find_alpha(directory, layout, header);
  }
  return header;
}

}  // namespace srdiff
