#pragma once

#include <cstdint>
#include <string>

namespace srdiff {

/// What a picture file says of itself before any pixel is decoded. OpenCV's decoders do not tell:
/// they allocate what the header declares and fill up what is missing.
struct ImageHeader {
  enum class Format { unknown, png, jpeg, webp, tiff, bmp };
  Format format = Format::unknown;
  std::int64_t width = -1;  ///< −1 where this reader does not find it
  std::int64_t height = -1;
  bool truncated = false;  ///< the file ends before its own structure does
};

/// Reads the structure of `bytes`; never throws, never reads past the end.
ImageHeader read_image_header(const std::string& bytes);

}  // namespace srdiff
