#include "images/row_encoder.h"

#include "images/optional_formats.h"
#include "srdiff/error.h"

namespace srdiff {

std::unique_ptr<RowEncoder> make_row_encoder(const FileLayout& layout, ImageFormat format,
                                             int quality, const std::string& failure) {
  switch (format) {
    case ImageFormat::png:
      return make_png_encoder(layout, failure);
    case ImageFormat::jpeg:
      return make_jpeg_encoder(layout, quality, failure);
    case ImageFormat::tiff:
      return make_tiff_encoder(layout, failure);
    case ImageFormat::webp:
    case ImageFormat::bmp:
      return make_whole_picture_encoder(layout, format, quality, failure);
    case ImageFormat::jxl:
    case ImageFormat::avif:
      return make_optional_encoder(layout, format, quality, failure);
    case ImageFormat::heic:
    case ImageFormat::unknown:
      break;
  }
  throw InputError(failure);
}

}  // namespace srdiff
