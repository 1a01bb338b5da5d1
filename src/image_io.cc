#include "srdiff/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "file_bytes.h"
#include "image_header.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using Format = ImageHeader::Format;

constexpr int lossy_quality = 95;

ImageHeader checked_header(const std::string& bytes, const std::string& name,
                           const DecodeLimits& limits) {
  const ImageHeader header = read_image_header(bytes);
  if (bytes.empty()) {
    throw InputError(name + ": is empty");
  }
  if (header.format == Format::unknown) {
    throw InputError(name + ": is not a picture that srdiff reads (PNG, JPEG, WebP, TIFF, BMP)");
  }
  if (header.width == 0 || header.height == 0) {
    throw InputError(name + ": has no pixels (its header says " + std::to_string(header.width) +
                     "x" + std::to_string(header.height) + ")");
  }
  if (header.truncated) {
    throw InputError(name + ": is cut short; fetch or export it again");
  }
  if (header.width > 0 && header.height > limits.max_pixels / header.width) {
    throw InputError(name + ": declares " + std::to_string(header.width) + "x" +
                     std::to_string(header.height) + " pixels, more than the " +
                     std::to_string(limits.max_pixels) + " allowed; crop or reduce it first");
  }
  return header;
}

cv::Mat decode(const std::string& bytes, const ImageHeader& header, const std::string& name) {
  // IMREAD_UNCHANGED keeps alpha but skips a JPEG's EXIF rotation; JPEG has no alpha to keep.
  const int flags = header.format == Format::jpeg ? cv::IMREAD_ANYCOLOR | cv::IMREAD_ANYDEPTH
                                                  : cv::IMREAD_UNCHANGED;
  cv::Mat decoded;
  try {
    const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8UC1,
                       const_cast<char*>(bytes.data()));  // NOLINT: cv::Mat has no const view
    decoded = cv::imdecode(view, flags);
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

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

}  // namespace

Image decode_image(const std::string& bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageHeader header = checked_header(bytes, name, limits);
  const cv::Mat decoded = decode(bytes, header, name);
  const at::Tensor channels = planes(decoded);
  Image image;
  image.bit_depth = decoded.depth() == CV_16U ? 16 : 8;
  image.grey = decoded.channels() == 1;
  const at::Tensor colour =
      image.grey ? channels.expand({3, -1, -1}) : channels.slice(0, 0, 3).flip(0);
  image.rgb = colour.mul(2.0).sub(1.0).contiguous();
  if (decoded.channels() == 4) {
    image.alpha = channels.slice(0, 3, 4).contiguous();
  }
  return image;
}

Image read_image(const fs::path& path, const DecodeLimits& limits) {
  return decode_image(read_file(path), path.string(), limits);
}

std::string encode_image(const Image& image, const std::string& extension,
                         const std::string& name) {
  const bool jpeg = extension == ".jpg" || extension == ".jpeg";
  if (image.alpha.defined() && (jpeg || extension == ".bmp")) {
    throw InputError(name + ": this format cannot hold the picture's transparency; " +
                     "write .png, .webp or .tiff");
  }
  const bool deep = extension == ".png" || extension == ".tif" || extension == ".tiff";
  const cv::Mat pixels = interleaved(file_channels(image), deep ? image.bit_depth : 8);
  std::vector<int> parameters;
  if (jpeg) {
    parameters = {cv::IMWRITE_JPEG_QUALITY, lossy_quality};
  } else if (extension == ".webp") {
    parameters = {cv::IMWRITE_WEBP_QUALITY, lossy_quality};
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

void write_image(const fs::path& path, const Image& image) {
  write_file_atomically(path, encode_image(image, lower_case_extension(path), path.string()));
}

}  // namespace srdiff
