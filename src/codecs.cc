#include "codecs.h"

#include <ATen/ATen.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

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

}  // namespace srdiff
