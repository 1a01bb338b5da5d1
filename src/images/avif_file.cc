#include <ATen/Parallel.h>
#include <avif/avif.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>

#include "images/code_points.h"
#include "images/iso_media.h"
#include "images/optional_formats.h"

namespace srdiff {
namespace {

using AvifDecoderPointer = std::unique_ptr<avifDecoder, decltype(&::avifDecoderDestroy)>;

/// A decoder that has read what a file says of its pictures. Null, with the result, where it
/// cannot.
AvifDecoderPointer avif_decoder(std::string_view file, avifResult& result) {
  AvifDecoderPointer decoder(::avifDecoderCreate(), ::avifDecoderDestroy);
  if (decoder == nullptr) {
    throw std::bad_alloc();
  }
  // Browsers forgive what these would refuse, such as files without a pixi box.
  decoder->strictFlags = AVIF_STRICT_DISABLED;
  decoder->maxThreads = at::get_num_threads();
  decoder->imageDimensionLimit = 0;  // the limits of DecodeLimits hold
  result = ::avifDecoderSetIOMemory(
      decoder.get(), reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  if (result == AVIF_RESULT_OK) {
    result = ::avifDecoderParse(decoder.get());
  }
  return result == AVIF_RESULT_OK ? std::move(decoder)
                                  : AvifDecoderPointer(nullptr, ::avifDecoderDestroy);
}

std::string avif_block(const avifRWData& data) {
  return data.size == 0 ? std::string()
                        : std::string(reinterpret_cast<const char*>(data.data), data.size);
}

/// EXIF's number of a turn and then a flip, as AVIF states them.
int orientation_of_image(const avifImage& image) {
  const int quarters = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle & 3 : 0;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) {
    constexpr std::array<int, 4> turned = {1, 8, 3, 6};  // against the clock
    return turned.at(static_cast<std::size_t>(quarters));
  }
#if AVIF_VERSION_MAJOR >= 1
  const bool left_with_right = image.imir.axis == 1;
#else
  const bool left_with_right = image.imir.mode == 1;
#endif
  constexpr std::array<int, 4> top_with_bottom_then = {4, 5, 2, 7};
  constexpr std::array<int, 4> left_with_right_then = {2, 7, 4, 5};
  return (left_with_right ? left_with_right_then : top_with_bottom_then)
      .at(static_cast<std::size_t>(quarters));
}

/// The part of the picture that is to be shown.
cv::Rect shown_part(const avifImage& image) {
  const cv::Rect whole(0, 0, static_cast<int>(image.width), static_cast<int>(image.height));
  if ((image.transformFlags & AVIF_TRANSFORM_CLAP) == 0) {
    return whole;
  }
  avifCropRect part;
  avifDiagnostics reasons;
  ::avifDiagnosticsClearError(&reasons);
  if (::avifCropRectConvertCleanApertureBox(&part, &image.clap, image.width, image.height,
                                            image.yuvFormat, &reasons) == AVIF_FALSE) {
    return whole;
  }
  const cv::Rect shown(static_cast<int>(part.x), static_cast<int>(part.y),
                       static_cast<int>(part.width), static_cast<int>(part.height));
  return (shown & whole) == shown && !shown.empty() ? shown : whole;
}

/// The decoded picture as BGR or BGRA; empty where it cannot be converted.
cv::Mat bgr_of(const avifImage& image, bool alpha) {
  const bool deep = image.depth > 8;
  cv::Mat pixels(static_cast<int>(image.height), static_cast<int>(image.width),
                 CV_MAKETYPE(deep ? CV_16U : CV_8U, alpha ? 4 : 3));
  avifRGBImage rgb;
  ::avifRGBImageSetDefaults(&rgb, &image);
  rgb.depth = deep ? 16 : 8;
  rgb.format = alpha ? AVIF_RGB_FORMAT_BGRA : AVIF_RGB_FORMAT_BGR;
  rgb.chromaUpsampling = AVIF_CHROMA_UPSAMPLING_BEST_QUALITY;
  rgb.alphaPremultiplied = AVIF_FALSE;
  rgb.pixels = pixels.data;
  rgb.rowBytes = static_cast<std::uint32_t>(pixels.step[0]);
  return ::avifImageYUVToRGB(&image, &rgb) == AVIF_RESULT_OK ? pixels : cv::Mat();
}

}  // namespace

std::string avif_library() {
  std::array<char, 256> codecs = {};
  ::avifCodecVersions(codecs.data());
  return std::string("libavif ") + ::avifVersion() + " (" + codecs.data() + ")";
}

ImageHeader read_avif_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::avif};
  header.truncated = has_cut_box(bytes);
  if (header.truncated) {
    return header;
  }
  avifResult result = AVIF_RESULT_OK;
  const AvifDecoderPointer decoder = avif_decoder(bytes.bytes(), result);
  if (decoder == nullptr) {
    const ItemSize declared = largest_item(bytes);  // it may be larger than libavif takes
    header.width = declared.width;
    header.height = declared.height;
    constexpr std::int64_t most_pixels = AVIF_DEFAULT_IMAGE_SIZE_LIMIT;
    if (declared.width <= 0 || declared.height <= most_pixels / declared.width) {
      header.unfit = std::string("is damaged, or an AVIF of an unknown kind (") +
                     ::avifResultToString(result) + ")";
    }
    return header;
  }
  const avifImage& image = *decoder->image;
  const cv::Rect shown = shown_part(image);
  header.width = shown.width;
  header.height = shown.height;
  header.orientation = orientation_of_image(image);
  header.several_pictures = decoder->imageCount > 1;
  header.beside.exif = exif_without_prefix(avif_block(image.exif));
  header.beside.xmp = avif_block(image.xmp);
  header.beside.icc = avif_block(image.icc);
  if (header.beside.icc.empty()) {
    header.beside.cicp = code_points(image.colorPrimaries, image.transferCharacteristics);
  }
  return header;
}

cv::Mat read_avif_pixels(const std::string& file, const ImageHeader& /*header*/) {
  avifResult result = AVIF_RESULT_OK;
  const AvifDecoderPointer decoder = avif_decoder(file, result);
  if (decoder == nullptr) {
    return {};
  }
  // No frame may be larger than what the file says of the picture, to which limits were applied.
  decoder->imageSizeLimit = decoder->image->width * decoder->image->height;
  if (::avifDecoderNextImage(decoder.get()) != AVIF_RESULT_OK) {
    return {};
  }
  const avifImage& image = *decoder->image;
  const bool alpha = image.alphaPlane != nullptr;
  cv::Mat pixels = bgr_of(image, alpha);
  if (pixels.empty()) {
    return {};
  }
  pixels = pixels(shown_part(image));
  if (image.yuvFormat != AVIF_PIXEL_FORMAT_YUV400) {
    return pixels;
  }
  cv::Mat grey(pixels.size(), CV_MAKETYPE(pixels.depth(), alpha ? 2 : 1));
  const std::array<int, 4> from_to = {0, 0, 3, 1};
  cv::mixChannels(&pixels, 1, &grey, 1, from_to.data(), alpha ? 2 : 1);
  return grey;
}

}  // namespace srdiff
