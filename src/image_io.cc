#include "srdiff/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "file_bytes.h"
#include "image_header.h"
#include "metadata.h"
#include "srdiff/error.h"

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
  const ImageHeader header = read_image_header(bytes);
  if (header.format == Format::unknown) {
    throw InputError(name + ": is not a picture that srdiff reads (PNG, JPEG, WebP, TIFF, BMP)");
  }
  if (header.truncated) {
    throw InputError(name + ": is cut short; fetch or export it again");
  }
  check_declared_size(header, bytes.size(), name, limits);
  return header;
}

cv::Mat decode(const std::string& bytes, const std::string& name) {
  cv::Mat decoded;
  try {
    const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8UC1,
                       const_cast<char*>(bytes.data()));  // NOLINT: cv::Mat has no const view
    decoded = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    decoded.release();
  }
  if (decoded.empty()) {
    throw InputError(name + ": cannot be decoded; it is damaged or of an unknown kind");
  }
  if (decoded.depth() != CV_8U && decoded.depth() != CV_16U) {
    throw InputError(name + ": has neither 8 nor 16 bits a channel; convert it first");
  }
  return decoded;
}

/// [channels,H,W] float32 in [0,1] from interleaved integers.
at::Tensor planes(const cv::Mat& pixels) {
  cv::Mat real;
  pixels.convertTo(real, CV_32F);
  const double top = pixels.depth() == CV_16U ? 65535.0 : 255.0;
  return at::from_blob(real.data, {real.rows, real.cols, real.channels()}, at::kFloat)
      .permute({2, 0, 1})
      .div(top)
      .contiguous();
}

cv::Mat interleaved(const at::Tensor& chw, int bit_depth) {
  const double top = bit_depth == 16 ? 65535.0 : 255.0;
  const at::Tensor hwc = chw.clamp(0.0, 1.0).mul(top).round().permute({1, 2, 0}).contiguous();
  const int channels = static_cast<int>(chw.size(0));
  const cv::Mat real(static_cast<int>(chw.size(1)), static_cast<int>(chw.size(2)),
                     CV_32FC(channels), hwc.data_ptr<float>());
  cv::Mat pixels;
  real.convertTo(pixels, bit_depth == 16 ? CV_16U : CV_8U);
  return pixels;
}

/// [C,H,W] as stored → upright. EXIF's orientations: 2…4 mirror and turn by 180°, 5…8 lie on a
/// side.
at::Tensor upright(const at::Tensor& chw, int orientation) {
  const at::Tensor standing = orientation >= 5 ? chw.transpose(1, 2) : chw;
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

/// The file's channels in OpenCV's order: grey, BGR or BGRA, in [0,1].
at::Tensor file_channels(const Image& image) {
  const at::Tensor rgb = image.rgb.add(1.0).mul(0.5);
  if (image.alpha.defined()) {
    return at::cat({rgb.flip(0), image.alpha}, 0);
  }
  if (image.grey) {
    // Rec. 601 luma; the planes of a grey picture drift apart a little inside the networks.
    return (rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114).unsqueeze(0);
  }
  return rgb.flip(0);
}

std::string encode_pixels(const Image& image, const std::string& extension, const std::string& name,
                          int quality) {
  const bool deep = extension == ".png" || extension == ".tif" || extension == ".tiff";
  const cv::Mat pixels = interleaved(file_channels(image), deep ? image.bit_depth : 8);
  std::vector<int> parameters;
  if (extension == ".jpg" || extension == ".jpeg") {
    parameters = {cv::IMWRITE_JPEG_QUALITY, quality};
  } else if (extension == ".webp") {
    parameters = {cv::IMWRITE_WEBP_QUALITY, quality};
  }
  std::vector<unsigned char> encoded;
  try {
    if (cv::imencode(extension, pixels, encoded, parameters)) {
      return {encoded.begin(), encoded.end()};
    }
  } catch (const cv::Exception&) {
    encoded.clear();
  }
  throw InputError(name + ": cannot be encoded as " + extension);
}

}  // namespace

Image decode_image(const std::string& bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageHeader header = checked_header(bytes, name, limits);
  const cv::Mat decoded = decode(bytes, name);
  const FoundMetadata metadata =
      header.format == Format::bmp ? FoundMetadata() : read_metadata(bytes, name);
  // OpenCV turns TIFF upright itself, whatever its flags say, and leaves the others as stored.
  const at::Tensor channels =
      upright(planes(decoded), header.format == Format::tiff ? 1 : metadata.orientation);
  Image image;
  image.bit_depth = decoded.depth() == CV_16U ? 16 : 8;
  image.grey = decoded.channels() == 1;
  const at::Tensor colour =
      image.grey ? channels.expand({3, -1, -1}) : channels.slice(0, 0, 3).flip(0);
  image.rgb = colour.mul(2.0).sub(1.0).contiguous();
  if (decoded.channels() == 4) {
    image.alpha = channels.slice(0, 3, 4).contiguous();
  }
  image.metadata = metadata.blocks;
  return image;
}

Image read_image(const fs::path& path, const DecodeLimits& limits) {
  return decode_image(read_file(path), path.string(), limits);
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
  const std::string file = encode_pixels(image, extension, name, options.quality);
  const Metadata none;
  const Metadata& blocks = image.metadata ? *image.metadata : none;
  const bool nothing = blocks.exif.empty() && blocks.xmp.empty() && blocks.iptc.empty() &&
                       blocks.icc.empty() && (options.made_by.empty() || extension == ".bmp");
  if (nothing || options.strip_metadata) {
    return file;
  }
  const bool grey = image.grey && !image.alpha.defined() && extension != ".webp";
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
