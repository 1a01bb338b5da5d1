#include "srdiff/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "codecs.h"
#include "file_bytes.h"
#include "image_header.h"
#include "metadata.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using Format = ImageHeader::Format;

/// What OpenCV's own limits are unless the environment changes them.
constexpr std::int64_t opencv_max_pixels = std::int64_t{1} << 30;
constexpr std::int64_t opencv_max_side = std::int64_t{1} << 20;
/// Up to this size a picture may be as flat as it likes.
constexpr std::int64_t small_picture_pixels = std::int64_t{1} << 24;

void check_declared_size(const ImageHeader& header, std::size_t file_bytes, const std::string& name,
                         const DecodeLimits& limits) {
  const std::string size = std::to_string(header.width) + "x" + std::to_string(header.height);
  if (header.width < 0 || header.height < 0) {
    throw InputError(name + ": is damaged: its header does not say how large it is");
  }
  if (header.width == 0 || header.height == 0) {
    throw InputError(name + ": has no pixels (its header says " + size + ")");
  }
  const std::int64_t max_pixels = std::min(limits.max_pixels, opencv_max_pixels);
  if (header.height > max_pixels / header.width ||
      std::max(header.width, header.height) > opencv_max_side) {
    throw InputError(name + ": declares " + size + " pixels, more than the " +
                     std::to_string(max_pixels) + " allowed; crop or reduce it first");
  }
  const std::int64_t pixels = header.width * header.height;
  if (pixels > small_picture_pixels &&
      static_cast<double>(pixels) > limits.max_pixels_per_byte * static_cast<double>(file_bytes)) {
    throw InputError(
        name + ": declares " + size + " pixels in " + std::to_string(file_bytes) +
        " bytes, which looks like a decompression bomb; raise the limit if it is none");
  }
}

ImageHeader checked_header(const std::string& bytes, const std::string& name,
                           const DecodeLimits& limits) {
  if (bytes.empty()) {
    throw InputError(name + ": is empty");
  }
  // OpenCV counts a file's bytes as int.
  const std::int64_t max_bytes =
      std::min<std::int64_t>(limits.max_file_bytes, std::numeric_limits<int>::max());
  if (static_cast<std::int64_t>(bytes.size()) > max_bytes) {
    throw InputError(name + ": is larger than the " + std::to_string(max_bytes) + " bytes allowed");
  }
  ImageHeader header = read_image_header(bytes);
  if (header.format == Format::unknown) {
    throw InputError(name + ": is not a picture that srdiff reads (PNG, JPEG, WebP, TIFF, BMP)");
  }
  if (header.truncated) {
    throw InputError(name + ": is cut short; fetch or export it again");
  }
  if (!header.unfit.empty()) {
    throw InputError(name + ": " + header.unfit);
  }
  check_declared_size(header, bytes.size(), name, limits);
  return header;
}

/// decode_pixels has turned a TIFF already, as OpenCV does whatever its flags say.
constexpr int tiff_is_upright = 1;

/// [C,H,W] as stored → upright. EXIF's orientations: 2…4 mirror and turn by 180°, 5…8 lie on a
/// side.
at::Tensor upright(const at::Tensor& chw, int orientation) {
  at::Tensor standing = orientation >= 5 ? chw.transpose(1, 2) : chw;
  switch (orientation) {
    case 2:
    case 6:
      return standing.flip(2);
    case 3:
    case 7:
      return standing.flip({1, 2});
    case 4:
    case 8:
      return standing.flip(1);
    default:
      return standing;
  }
}

/// What goes into a file, in [0,1]: grey, grey with alpha where the format has that, RGB, or RGB
/// with alpha.
at::Tensor file_channels(const Image& image, const std::string& extension) {
  at::Tensor colour = image.rgb.add(1.0).mul(0.5);
  if (image.grey) {
    // Rec. 601 luma; the planes of a grey picture drift apart a little inside the networks.
    colour = (colour[0] * 0.299 + colour[1] * 0.587 + colour[2] * 0.114).unsqueeze(0);
  }
  if (!image.alpha.defined()) {
    return colour;
  }
  return at::cat({extension == ".png" ? colour : colour.expand({3, -1, -1}), image.alpha});
}

}  // namespace

DeclaredSize declared_size(const std::string& bytes) {
  const ImageHeader header = read_image_header(bytes);
  return {std::max<std::int64_t>(0, header.width), std::max<std::int64_t>(0, header.height)};
}

DeclaredSize declared_size(const fs::path& path, const DecodeLimits& limits) {
  return declared_size(read_file(path, limits.max_file_bytes));
}

Image decode_image(const std::string& bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageHeader header = checked_header(bytes, name, limits);
  const FilePixels pixels = decode_pixels(bytes, header, name);
  if (header.several_pictures) {
    log::warn("{}: holds several pictures; the first is taken", name);
  }
  const FoundMetadata metadata =
      header.format == Format::bmp ? FoundMetadata() : read_metadata(bytes, name);
  const at::Tensor channels = upright(
      pixels.channels, header.format == Format::tiff ? tiff_is_upright : metadata.orientation);
  Image image;
  image.bit_depth = pixels.bit_depth;
  image.grey = channels.size(0) == 1 || header.grey_alpha;
  image.rgb = channels.slice(0, 0, 3).expand({3, -1, -1}).mul(2.0).sub(1.0).contiguous();
  if (channels.size(0) == 4) {
    image.alpha = channels.slice(0, 3).contiguous();
  } else if (header.clear_grey) {
    constexpr double less_than_a_level = 1e-6;
    image.alpha = channels.sub(*header.clear_grey).abs().gt(less_than_a_level).to(at::kFloat);
  }
  image.metadata = metadata.blocks;
  return image;
}

Image read_image(const fs::path& path, const DecodeLimits& limits) {
  return decode_image(read_file(path, limits.max_file_bytes), path.string(), limits);
}

std::string encode_image(const Image& image, const std::string& extension, const std::string& name,
                         const EncodeOptions& options) {
  const bool jpeg = extension == ".jpg" || extension == ".jpeg";
  if (image.alpha.defined() && (jpeg || extension == ".bmp")) {
    throw InputError(name + ": this format cannot hold the picture's transparency; " +
                     "write .png, .webp or .tiff");
  }
  if (options.quality < 1 || options.quality > 100) {
    throw UsageError("quality = " + std::to_string(options.quality) + " is outside 1 to 100");
  }
  const bool deep = extension == ".png" || extension == ".tif" || extension == ".tiff";
  std::string file = encode_pixels({file_channels(image, extension), deep ? image.bit_depth : 8},
                                   extension, options.quality, name);
  const Metadata none;
  const Metadata& blocks = image.metadata ? *image.metadata : none;
  const bool nothing = blocks.exif.empty() && blocks.xmp.empty() && blocks.iptc.empty() &&
                       blocks.icc.empty() && (options.made_by.empty() || extension == ".bmp");
  if (nothing || options.strip_metadata) {
    return file;
  }
  const bool grey =
      image.grey && extension != ".webp" && (!image.alpha.defined() || extension == ".png");
  return embed_metadata(file, {image.width(), image.height(), grey}, blocks, options.made_by, name);
}

void check_writable_format(const fs::path& path) {
  const std::string extension = lower_case_extension(path);
  for (const char* known : {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}) {
    if (extension == known) {
      return;
    }
  }
  throw UsageError(path.string() +
                   ": its ending names no format that srdiff writes; use .png, .jpg, .webp, "
                   ".tiff or .bmp");
}

void write_image(const fs::path& path, const Image& image, const EncodeOptions& options) {
  write_file_atomically(path,
                        encode_image(image, lower_case_extension(path), path.string(), options));
}

}  // namespace srdiff
