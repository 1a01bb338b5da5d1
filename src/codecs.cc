#include "codecs.h"

#include <ATen/ATen.h>
#include <png.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>
#include <vector>

#include "srdiff/error.h"

namespace srdiff {
namespace {

using Format = ImageHeader::Format;
using FourthChannel = ImageHeader::FourthChannel;

thread_local bool tiff_failed = false;

void note_tiff_error(const char* /*module*/, const char* /*format*/, va_list /*values*/) {
  tiff_failed = true;
}

/// OpenCV takes no notice when libtiff cannot decode a strip, and returns black.
void watch_tiff_errors() {
  static const bool watching = [] {
    // OpenCV sets a handler of its own once, with the first TIFF that it meets.
    const cv::Mat no_picture(1, 16, CV_8UC1, const_cast<char*>("II*\0\x08\0\0\0\0\0\0\0\0\0\0"));
    try {
      cv::imdecode(no_picture, cv::IMREAD_UNCHANGED);
    } catch (const cv::Exception&) {
    }
    TIFFSetErrorHandler(note_tiff_error);
    TIFFSetWarningHandler(nullptr);
    return true;
  }();
  static_cast<void>(watching);
  tiff_failed = false;
}

/// Straight alpha declared as premultiplied, which libtiff's conversion to RGBA leaves alone;
/// straight alpha it would multiply into the colours.
std::string with_colours_left_alone(std::string tiff, const ImageHeader& header) {
  const std::size_t at = header.extra_sample_offset;
  if (at != 0 && at + 2 <= tiff.size() && header.fourth == FourthChannel::straight_alpha) {
    const bool little = tiff[0] == 'I';
    tiff[at] = static_cast<char>(little ? EXTRASAMPLE_ASSOCALPHA : 0);
    tiff[at + 1] = static_cast<char>(little ? 0 : EXTRASAMPLE_ASSOCALPHA);
  }
  return tiff;
}

cv::Mat decode(const std::string& file, const std::string& name) {
  cv::Mat decoded;
  try {
    const cv::Mat view(1, static_cast<int>(file.size()), CV_8UC1,
                       const_cast<char*>(file.data()));  // NOLINT: cv::Mat has no const view
    decoded = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    decoded.release();
  }
  if (decoded.empty() || tiff_failed) {
    throw InputError(name + ": cannot be decoded; it is damaged or of an unknown kind");
  }
  if (decoded.depth() != CV_8U && decoded.depth() != CV_16U) {
    throw InputError(name + ": has neither 8 nor 16 bits a channel; convert it first");
  }
  return decoded;
}

/// [C,H,W] float32 in [0,1], colours in RGB order.
at::Tensor planes(const cv::Mat& pixels) {
  cv::Mat real;
  pixels.convertTo(real, CV_32F);
  const double top = pixels.depth() == CV_16U ? 65535.0 : 255.0;
  at::Tensor chw = at::from_blob(real.data, {real.rows, real.cols, real.channels()})
                       .permute({2, 0, 1})
                       .div(top)
                       .contiguous();
  if (chw.size(0) < 3) {
    return chw;
  }
  const at::Tensor rgb = chw.slice(0, 0, 3).flip(0);
  return chw.size(0) == 4 ? at::cat({rgb, chw.slice(0, 3)}) : rgb;
}

at::Tensor with_straight_alpha(const at::Tensor& channels, FourthChannel fourth) {
  if (channels.size(0) != 4 || fourth == FourthChannel::straight_alpha) {
    return channels;
  }
  const at::Tensor rgb = channels.slice(0, 0, 3);
  if (fourth == FourthChannel::no_alpha) {
    return rgb.contiguous();
  }
  const at::Tensor alpha = channels.slice(0, 3);
  return at::cat({at::where(alpha > 0, rgb / alpha, rgb).clamp(0, 1), alpha});
}

cv::Mat interleaved(const FilePixels& pixels) {
  const double top = pixels.bit_depth == 16 ? 65535.0 : 255.0;
  at::Tensor chw = pixels.channels;
  if (chw.size(0) >= 3) {  // OpenCV's order is BGR
    chw = at::cat({chw.slice(0, 0, 3).flip(0), chw.slice(0, 3)});
  }
  const at::Tensor hwc = chw.clamp(0.0, 1.0).mul(top).round().permute({1, 2, 0}).contiguous();
  const cv::Mat real(static_cast<int>(chw.size(1)), static_cast<int>(chw.size(2)),
                     CV_32FC(static_cast<int>(chw.size(0))), hwc.data_ptr<float>());
  cv::Mat result;
  real.convertTo(result, pixels.bit_depth == 16 ? CV_16U : CV_8U);
  return result;
}

/// Grey with alpha as PNG, which OpenCV does not write: rows of big-endian samples.
std::string encode_grey_alpha_png(const cv::Mat& pixels, int bit_depth) {
  std::string file;
  png_structp png = ::png_create_write_struct(
      PNG_LIBPNG_VER_STRING, nullptr,
      [](png_structp, png_const_charp message) { throw std::runtime_error(message); },
      [](png_structp, png_const_charp) {});
  png_infop info = png == nullptr ? nullptr : ::png_create_info_struct(png);
  const auto destroy = [&info](png_structp writer) { ::png_destroy_write_struct(&writer, &info); };
  const std::unique_ptr<png_struct, decltype(destroy)> owner(png, destroy);
  if (info == nullptr) {
    throw std::bad_alloc();
  }
  ::png_set_write_fn(
      png, &file,
      [](png_structp writer, png_bytep data, png_size_t size) {
        static_cast<std::string*>(::png_get_io_ptr(writer))
            ->append(reinterpret_cast<const char*>(data), size);
      },
      nullptr);
  ::png_set_IHDR(png, info, static_cast<png_uint_32>(pixels.cols),
                 static_cast<png_uint_32>(pixels.rows), bit_depth, PNG_COLOR_TYPE_GRAY_ALPHA,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  ::png_write_info(png, info);
  if (bit_depth == 16) {
    ::png_set_swap(png);
  }
  for (int y = 0; y < pixels.rows; ++y) {
    ::png_write_row(png, pixels.ptr(y));
  }
  ::png_write_end(png, nullptr);
  return file;
}

/// OpenCV writes a TIFF's fourth channel without saying that it is alpha: the directory again, at
/// the end, with the tag ExtraSamples.
std::string with_declared_alpha(std::string tiff) {
  const auto number = [&](std::size_t at, int bytes) {
    std::uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; --i) {
      value = value << 8 | static_cast<unsigned char>(tiff.at(at + static_cast<std::size_t>(i)));
    }
    return value;
  };
  const auto text = [](std::uint32_t value, int bytes) {
    std::string little_endian;
    for (int i = 0; i < bytes; ++i) {
      little_endian += static_cast<char>(value >> 8 * i & 0xFF);
    }
    return little_endian;
  };
  constexpr std::size_t entry_bytes = 12;
  const std::size_t start = number(4, 4);
  const std::uint32_t count = number(start, 2);
  std::string entries;
  std::size_t entry = start + 2;
  const std::size_t end = entry + entry_bytes * count;
  while (entry < end && number(entry, 2) < TIFFTAG_EXTRASAMPLES) {
    entry += entry_bytes;
  }
  const std::string alpha = text(TIFFTAG_EXTRASAMPLES, 2) + text(TIFF_SHORT, 2) + text(1, 4) +
                            text(EXTRASAMPLE_UNASSALPHA, 4);
  const std::string directory = text(count + 1, 2) + tiff.substr(start + 2, entry - start - 2) +
                                alpha + tiff.substr(entry, end - entry) + text(0, 4);
  tiff.resize((tiff.size() + 1) / 2 * 2);  // directories start at even places
  tiff.replace(4, 4, text(static_cast<std::uint32_t>(tiff.size()), 4));
  return tiff + directory;
}

}  // namespace

FilePixels decode_pixels(const std::string& file, const ImageHeader& header,
                         const std::string& name) {
  watch_tiff_errors();
  const cv::Mat decoded = header.format == Format::tiff
                              ? decode(with_colours_left_alone(file, header), name)
                              : decode(file, name);
  const auto [low, high] = std::minmax(header.width, header.height);
  if (std::min(decoded.cols, decoded.rows) != low || std::max(decoded.cols, decoded.rows) != high) {
    throw InputError(name + ": is damaged: it is not of the size that its header says");
  }
  return {with_straight_alpha(planes(decoded), header.fourth), decoded.depth() == CV_16U ? 16 : 8};
}

std::string encode_pixels(const FilePixels& pixels, const std::string& extension, int quality,
                          const std::string& name) {
  std::vector<int> parameters;
  if (extension == ".jpg" || extension == ".jpeg") {
    parameters = {cv::IMWRITE_JPEG_QUALITY, quality};
  } else if (extension == ".webp") {
    parameters = {cv::IMWRITE_WEBP_QUALITY, quality};
  }
  if (pixels.channels.size(0) == 2) {
    return encode_grey_alpha_png(interleaved(pixels), pixels.bit_depth);
  }
  const bool tiff = extension == ".tif" || extension == ".tiff";
  std::vector<unsigned char> encoded;
  try {
    if (cv::imencode(extension, interleaved(pixels), encoded, parameters)) {
      const std::string file(encoded.begin(), encoded.end());
      return tiff && pixels.channels.size(0) == 4 ? with_declared_alpha(file) : file;
    }
  } catch (const cv::Exception&) {
    encoded.clear();
  }
  throw InputError(name + ": cannot be encoded as " + extension);
}

}  // namespace srdiff
