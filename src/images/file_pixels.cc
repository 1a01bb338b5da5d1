#include "images/file_pixels.h"

#include <ATen/ATen.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "images/bmp_file.h"
#include "images/colour_conversion.h"
#include "images/jpeg_file.h"
#include "images/optional_formats.h"
#include "images/png_file.h"
#include "images/tiff_file.h"
#include "images/webp_file.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

thread_local bool tiff_failed = false;

void note_tiff_error(const char* /*module*/, const char* /*format*/, va_list /*values*/) {
  tiff_failed = true;
}

/// Makes libtiff's errors known to the decoder below: OpenCV ignores them and returns black where
/// libtiff cannot decode a strip.
void watch_tiff_errors() {
  static const bool watching = [] {
    // OpenCV sets its own handler at the first TIFF that it decodes; so let it decode one.
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

cv::Mat decode_by_opencv(const std::string& file) {
  const cv::Mat view(1, static_cast<int>(file.size()), CV_8UC1,
                     const_cast<char*>(file.data()));  // NOLINT: cv::Mat has no const view
  return cv::imdecode(view, cv::IMREAD_UNCHANGED);
}

/// Turns pixels as stored upright. EXIF's orientations 2…4 are mirrored or upside down, 5…8 lie on
/// a side.
void turn_upright(cv::Mat& pixels, int orientation) {
  if (lies_on_its_side(orientation)) {
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

/// Undoes turn_upright, since OpenCV turns every TIFF upright.
void turn_as_stored(cv::Mat& pixels, int orientation) {
  constexpr std::array<int, 9> inverse = {1, 1, 2, 3, 4, 5, 8, 7, 6};
  turn_upright(pixels, inverse.at(static_cast<std::size_t>(orientation)));
}

cv::Mat decode_any(const std::string& file, const ImageHeader& header, const std::string& name) {
  switch (header.format) {
    case ImageFormat::bmp: {
      const ByteReader bytes(file);
      return read_bmp_pixels(bytes, read_bmp_info(bytes));
    }
    case ImageFormat::jpeg:
      return header.cmyk ? read_jpeg_inks(file) : decode_by_opencv(file);
    case ImageFormat::webp:
      return header.several_pictures ? first_frame(file, header) : decode_by_opencv(file);
    case ImageFormat::tiff: {
      if (!header.rgba_only) {
        return read_tiff_pixels(file, header, name);
      }
      cv::Mat pixels = decode_by_opencv(file);
      turn_as_stored(pixels, header.orientation);
      return pixels;
    }
    case ImageFormat::jxl:
    case ImageFormat::avif:
    case ImageFormat::heic:
      return read_optional_pixels(file, header);
    default:
      return decode_by_opencv(file);
  }
}

/// What a decoder gives, or nothing where OpenCV throws; that memory runs out is handed on.
template <typename Decode>
cv::Mat pixels_or_nothing(const Decode& decode) {
  try {
    return decode();
  } catch (const cv::Exception& error) {
    if (is_out_of_memory(error)) {
      throw;
    }
    return {};
  }
}

/// Empty where the file is damaged or of a kind that is not known.
cv::Mat decode_whole(const std::string& file, const ImageHeader& header, const std::string& name) {
  watch_tiff_errors();
  const cv::Mat decoded = pixels_or_nothing([&] { return decode_any(file, header, name); });
  return tiff_failed ? cv::Mat() : decoded;
}

/// Empty where nothing is left.
cv::Mat decode_part(const std::string& file, const ImageHeader& header, const std::string& name,
                    Damage& damage) {
  switch (header.format) {
    case ImageFormat::bmp:
      return read_cut_bmp(file, read_bmp_info(ByteReader(file)), damage);
    case ImageFormat::jpeg:
      return read_damaged_jpeg(file, damage);
    case ImageFormat::png:
      return read_damaged_png(file, damage);
    case ImageFormat::tiff:
      return read_tiff_pixels(file, header, name, &damage);
    default:
      return {};
  }
}

cv::Mat decode_damaged(const std::string& file, const ImageHeader& header, const std::string& name,
                       Damage& damage) {
  watch_tiff_errors();
  cv::Mat decoded = pixels_or_nothing([&] { return decode_part(file, header, name, damage); });
  if (decoded.empty()) {
    throw InputError(name + ": is damaged, and not a row of it can be read");
  }
  if (!damage.any()) {
    damage.add_doubt();  // a decoder has found something
  }
  return decoded;
}

/// Throws that a file cannot be decoded whole, with a code where a part of it might be.
[[noreturn]] void refuse(const ImageHeader& header, const std::string& reason) {
  throw InputError(reason, is_read_damaged(header) ? ErrorCode::picture_damaged : ErrorCode::other);
}

cv::Mat decode(const std::string& file, const ImageHeader& header, const std::string& name,
               bool accept_damaged, Damage& damage) {
  accept_damaged = accept_damaged && is_read_damaged(header);
  const bool damaged_jpeg = header.format == ImageFormat::jpeg && is_damaged_jpeg(file);
  if (damaged_jpeg && !accept_damaged) {
    refuse(header, name + ": has damaged picture data; fetch or export it again");
  }
  cv::Mat decoded;
  if (!damaged_jpeg && !header.truncated) {
    decoded = decode_whole(file, header, name);
  }
  if (decoded.empty()) {
    if (!accept_damaged) {
      refuse(
          header,
          name +
              ": cannot be decoded; it is damaged or of an unknown kind; fetch or export it again");
    }
    decoded = decode_damaged(file, header, name, damage);
  }
  if (decoded.depth() != CV_8U && decoded.depth() != CV_16U) {
    throw InputError(name + ": has neither 8 nor 16 bits a channel; convert it first");
  }
  return decoded;
}

/// Copies one channel of the pixels, unscaled, to a plane [H,W] of float32.
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

/// [3,H,W] or [4,H,W] float32 in [0,1] of grey or BGR, with alpha behind it for the latter: colours
/// in RGB order.
at::Tensor planes(const cv::Mat& pixels, int channels) {
  at::Tensor chw = at::empty({channels, pixels.rows, pixels.cols}, at::kFloat);
  const bool deep = pixels.depth() == CV_16U;
  const bool grey = pixels.channels() <= 2;
  for (int to = 0; to < channels; ++to) {
    const int from = to == 3 ? pixels.channels() - 1 : grey ? 0 : 2 - to;
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

bool is_read_damaged(const ImageHeader& header) {
  switch (header.format) {
    case ImageFormat::bmp:
    case ImageFormat::jpeg:
    case ImageFormat::png:
      return true;
    case ImageFormat::tiff:
      return !header.rgba_only;
    default:
      return false;
  }
}

FilePixels::FilePixels(const std::string& file, const ImageHeader& header, const std::string& name,
                       bool accept_damaged)
    : alpha_(header.alpha), inks_(header.cmyk) {
  decoded_ = std::make_unique<cv::Mat>(decode(file, header, name, accept_damaged, damage_));
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
  return decoded_->channels() <= 2;
}

void FilePixels::convert_inks(const std::string& icc, const std::string& name) {
  if (!inks_) {
    return;
  }
  bool by_profile = false;
  *decoded_ = cmyk_to_bgr(*decoded_, icc, by_profile);
  inks_ = false;
  log::warn("{}: is CMYK and becomes sRGB, {}", name,
            by_profile ? "by its own colour profile"
                       : "without a profile: each colour is what its ink and black leave of white");
}

at::Tensor FilePixels::channels(int orientation) && {
  turn_upright(*decoded_, orientation);
  const bool alpha = decoded_->channels() % 2 == 0 && alpha_ != ImageHeader::Alpha::none;
  at::Tensor channels = planes(*decoded_, alpha ? 4 : 3);
  decoded_->release();
  if (alpha && alpha_ == ImageHeader::Alpha::premultiplied) {
    divide_by_alpha(channels);
  }
  return channels;
}

}  // namespace srdiff
