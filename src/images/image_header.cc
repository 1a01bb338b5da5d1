#include "images/image_header.h"

#include <string_view>

#include "images/iso_media.h"
#include "images/optional_formats.h"

namespace srdiff {

ImageHeader read_image_header(const std::string& text) {
  using namespace std::string_view_literals;
  const ByteReader bytes(text);
  if (bytes.has(0, "\x89PNG\r\n\x1a\n"sv)) {
    return read_png_header(bytes);
  }
  if (bytes.has(0, "\xFF\xD8\xFF"sv)) {
    return read_jpeg_header(bytes);
  }
  if (bytes.has(0, "RIFF"sv) && bytes.has(8, "WEBP"sv)) {
    return read_webp_header(bytes);
  }
  if (bytes.has(0, "II*\0"sv) || bytes.has(0, "MM\0*"sv) || bytes.has(0, "II+\0"sv) ||
      bytes.has(0, "MM\0+"sv)) {
    return read_tiff_header(bytes);
  }
  if (bytes.has(0, "BM"sv)) {
    return read_bmp_header(bytes);
  }
  if (bytes.has(0, "\xFF\x0A"sv) || bytes.has(0, "\0\0\0\x0CJXL \r\n\x87\n"sv)) {
    return read_optional_header(ImageFormat::jxl, bytes);
  }
  const ImageFormat of_brands = format_of_brands(bytes);
  return of_brands == ImageFormat::unknown ? ImageHeader{} : read_optional_header(of_brands, bytes);
}

}  // namespace srdiff
