#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "images/byte_reader.h"
#include "images/image_format.h"
#include "srdiff/metadata.h"

namespace srdiff {

/// What a picture file says of itself before any pixel is decoded. OpenCV's decoders do not tell
/// this: they allocate the size that the header declares and fill missing pixels without a word.
struct ImageHeader {
  enum class Alpha { none, straight, premultiplied };

  ImageFormat format = ImageFormat::unknown;
  std::int64_t width = -1;  ///< −1 where this reader does not find it
  std::int64_t height = -1;
  bool truncated = false;  ///< the file ends before its own structure does
  /// Why srdiff cannot read its pixels right; empty if it can.
  std::string unfit = {};
  bool several_pictures = false;  ///< an animation or pages, of which the first is decoded
  bool holds_video = false;       ///< a JPEG that is followed by one, as in a motion photo
  int pictures_beside = 0;        ///< that belong to a HEIC's, such as a gain map or a depth map
  bool floating_point = false;    ///< a JPEG XL's samples, which may lie outside the range
  bool grey_alpha = false;        ///< a PNG with one colour channel and alpha
  bool cmyk = false;              ///< its colours are inks, which are converted to sRGB
  /// The grey, in [0,1], that a PNG without alpha calls transparent.
  std::optional<double> clear_grey = {};
  /// The chunks, such as "gAMA, cHRM", by which a PNG without a profile is not sRGB.
  std::string foreign_colour = {};
  /// What a fourth channel of the decoded pixels is.
  Alpha alpha = Alpha::straight;
  /// Of the formats that state it outside EXIF (TIFF, JPEG XL, AVIF), numbered as EXIF's.
  int orientation = 1;
  /// Channels beyond the colours, of TIFF and JPEG XL, and which of all is alpha; −1: none is.
  int extra_channels = 0;
  int alpha_channel = -1;
  /// What it says outside EXIF, XMP, IPTC and the profile; of JPEG XL, AVIF and HEIC all it says,
  /// as it is stored.
  Metadata beside = {};
  bool big_tiff = false;
  /// A TIFF that libtiff only gives as RGBA of 8 bits (YCbCr that is not compressed as JPEG).
  bool rgba_only = false;
};

/// Whether pixels of this EXIF orientation, 1…8, lie on a side: upright, the picture is as wide as
/// they are high.
constexpr bool lies_on_its_side(int orientation) {
  return orientation >= 5;
}

/// Reads the structure of `bytes`; never throws, never reads past the end.
ImageHeader read_image_header(const std::string& bytes);

/// The header of one format, of bytes that begin with that format's signature. Each is in a file of
/// its own.
ImageHeader read_png_header(const ByteReader& bytes);
ImageHeader read_jpeg_header(const ByteReader& bytes);
ImageHeader read_webp_header(const ByteReader& bytes);
ImageHeader read_tiff_header(const ByteReader& bytes);
ImageHeader read_bmp_header(const ByteReader& bytes);

}  // namespace srdiff
