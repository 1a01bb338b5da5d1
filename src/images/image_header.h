#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "images/image_format.h"

namespace srdiff {

/// What a picture file says of itself before any pixel is decoded. OpenCV's decoders do not tell:
/// they allocate what the header declares and fill up what is missing.
struct ImageHeader {
  /// What a TIFF's or BMP's fourth channel is; the other formats' is straight alpha.
  enum class FourthChannel { straight_alpha, premultiplied_alpha, no_alpha };

  ImageFormat format = ImageFormat::unknown;
  std::int64_t width = -1;  ///< −1 where this reader does not find it
  std::int64_t height = -1;
  bool truncated = false;  ///< the file ends before its own structure does
  /// Why its pixels cannot come through right; empty: they can.
  std::string unfit = {};
  bool several_pictures = false;  ///< an animation or pages, of which the first is decoded
  bool grey_alpha = false;        ///< a PNG with one colour channel and alpha
  /// The grey, in [0,1], that a PNG without alpha calls transparent.
  std::optional<double> clear_grey = {};
  /// The chunks, such as "gAMA, cHRM", by which a PNG without a profile is not sRGB.
  std::string foreign_colour = {};
  FourthChannel fourth = FourthChannel::straight_alpha;
  bool opencv_misreads = false;         ///< a TIFF for read_stored_tiff
  int orientation = 1;                  ///< a TIFF's, numbered as EXIF's
  std::size_t extra_sample_offset = 0;  ///< where a TIFF says what `fourth` is; 0: nowhere
};

/// Reads the structure of `bytes`; never throws, never reads past the end.
ImageHeader read_image_header(const std::string& bytes);

}  // namespace srdiff
