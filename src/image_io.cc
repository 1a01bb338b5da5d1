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
#include "strip_encoder.h"

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

}  // namespace

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

void check_writable_format(const fs::path& path) {
  if (!is_written(lower_case_extension(path))) {
    throw UsageError(path.string() +
                     ": its ending names no format that srdiff writes; use .png, .jpg, .webp, "
                     ".tiff or .bmp");
  }
}

void write_image(const fs::path& path, const Image& image, const EncodeOptions& options) {
  write_file_atomically(path,
                        encode_image(image, lower_case_extension(path), path.string(), options));
}

}  // namespace srdiff
