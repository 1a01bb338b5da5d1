#include "images/codecs.h"

#include <ATen/ATen.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "images/jpeg_scan.h"
#include "images/stored_tiff.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

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
  const bool little = tiff[0] == 'I';
  tiff[at] = static_cast<char>(little ? EXTRASAMPLE_ASSOCALPHA : 0);
  tiff[at + 1] = static_cast<char>(little ? 0 : EXTRASAMPLE_ASSOCALPHA);
  return tiff;
}

bool would_multiply_colours(const std::string& file, const ImageHeader& header) {
  const std::size_t at = header.extra_sample_offset;
  return header.format == ImageFormat::tiff && header.fourth == FourthChannel::straight_alpha &&
         at != 0 && at + 2 <= file.size();
}

cv::Mat decode_by_opencv(const std::string& file) {
  const cv::Mat view(1, static_cast<int>(file.size()), CV_8UC1,
                     const_cast<char*>(file.data()));  // NOLINT: cv::Mat has no const view
  return cv::imdecode(view, cv::IMREAD_UNCHANGED);
}

/// As stored → upright. EXIF's orientations: 2…4 mirror and turn by 180°, 5…8 lie on a side.
void turn_upright(cv::Mat& pixels, int orientation) {
  if (orientation >= 5) {
    cv::Mat standing;
    cv::transpose(pixels, standing);
    pixels = standing;
  }
  constexpr int rows = 0;
  constexpr int columns = 1;
  constexpr int both = -1;
  switch (orientation) {
    case 2:
    case 6:
      return cv::flip(pixels, pixels, columns);
    case 3:
    case 7:
      return cv::flip(pixels, pixels, both);
    case 4:
    case 8:
      return cv::flip(pixels, pixels, rows);
    default:
      return;
  }
}

/// A TIFF comes upright, the others as stored.
cv::Mat decode_any(const std::string& file, const ImageHeader& header) {
  if (header.opencv_misreads) {
    cv::Mat pixels = read_stored_tiff(file);
    turn_upright(pixels, header.orientation);
    return pixels;
  }
  if (would_multiply_colours(file, header)) {
    return decode_by_opencv(with_colours_left_alone(file, header));
  }
  return decode_by_opencv(file);
}

cv::Mat decode(const std::string& file, const ImageHeader& header, const std::string& name) {
  cv::Mat decoded;
  try {
    decoded = decode_any(file, header);
  } catch (const cv::Exception& error) {
    if (is_out_of_memory(error)) {
      throw;
    }
    decoded.release();
  }
  if (decoded.empty() || tiff_failed) {
    throw InputError(name + ": cannot be decoded; it is damaged or of an unknown kind");
  }
  if (decoded.depth() != CV_8U && decoded.depth() != CV_16U) {
    throw InputError(name + ": has neither 8 nor 16 bits a channel; convert it first");
  }
  if (decoded.channels() == 2) {
    throw InputError(name + ": has two channels, which srdiff does not read; convert it first");
  }
  return decoded;
}

/// One channel of the pixels, as numbers, to [H,W] float32.
template <typename Sample>
void copy_channel(const cv::Mat& pixels, int channel, const at::Tensor& plane) {
  auto* out = plane.data_ptr<float>();
  for (int y = 0; y < pixels.rows; ++y) {
    const Sample* in = pixels.ptr<Sample>(y) + channel;
    for (int x = 0; x < pixels.cols; ++x, in += pixels.channels()) {
      *out++ = static_cast<float>(*in);
    }
  }
}

/// [3,H,W] or [4,H,W] float32 in [0,1], colours in RGB order, without the pixels' channels beyond
/// those.
at::Tensor planes(const cv::Mat& pixels, int channels) {
  at::Tensor chw = at::empty({channels, pixels.rows, pixels.cols}, at::kFloat);
  const bool deep = pixels.depth() == CV_16U;
  const bool grey = pixels.channels() == 1;
  for (int to = 0; to < channels; ++to) {
    const int from = grey ? 0 : to < 3 ? 2 - to : to;  // OpenCV's order is BGR
    deep ? copy_channel<std::uint16_t>(pixels, from, chw[to])
         : copy_channel<std::uint8_t>(pixels, from, chw[to]);
  }
  return chw.div_(deep ? 65535.0 : 255.0);
}

/// Premultiplied colours of [4,H,W] → straight ones, in place and row by row.
void divide_by_alpha(const at::Tensor& channels) {
  for (std::int64_t y = 0; y < channels.size(1); ++y) {
    const at::Tensor alpha = channels.select(1, y).slice(0, 3);
    channels.select(1, y)
        .slice(0, 0, 3)
        .div_(at::where(alpha > 0, alpha, at::ones_like(alpha)))
        .clamp_(0, 1);
  }
}

}  // namespace

FilePixels::FilePixels(const std::string& file, const ImageHeader& header, const std::string& name)
    : fourth_(header.fourth) {
  if (header.format == ImageFormat::jpeg && is_damaged_jpeg(file)) {
    throw InputError(name + ": has damaged picture data; fetch or export it again");
  }
  watch_tiff_errors();
  decoded_ = std::make_unique<cv::Mat>(decode(file, header, name));
  const auto [low, high] = std::minmax(header.width, header.height);
  if (std::min(decoded_->cols, decoded_->rows) != low ||
      std::max(decoded_->cols, decoded_->rows) != high) {
    throw InputError(name + ": is damaged: it is not of the size that its header says");
  }
}

FilePixels::~FilePixels() = default;

int FilePixels::bit_depth() const {
  return decoded_->depth() == CV_16U ? 16 : 8;
}

bool FilePixels::grey() const {
  return decoded_->channels() == 1;
}

at::Tensor FilePixels::channels(int orientation) && {
  turn_upright(*decoded_, orientation);
  const bool fourth = decoded_->channels() == 4 && fourth_ != FourthChannel::no_alpha;
  at::Tensor channels = planes(*decoded_, fourth ? 4 : 3);
  decoded_->release();
  if (fourth && fourth_ == FourthChannel::premultiplied_alpha) {
    divide_by_alpha(channels);
  }
  return channels;
}

}  // namespace srdiff
