#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "images/image_format.h"
#include "images/metadata.h"

namespace srdiff {

/// How a picture is laid out in its file.
struct FileLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels = 3;   ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and straight alpha
  int bit_depth = 8;  ///< 8 or 16
  std::optional<Resolution> resolution = {};  ///< for the formats that have it outside EXIF
};

/// The encoder of one format. It throws InputErrors whose message is the `failure` that it was made
/// with.
class RowEncoder {
 public:
  RowEncoder() = default;
  RowEncoder(const RowEncoder&) = delete;
  RowEncoder& operator=(const RowEncoder&) = delete;
  virtual ~RowEncoder() = default;

  /// The next row: width × channels samples, interleaved, of one byte or two in the machine's
  /// order.
  virtual void add_row(const unsigned char* samples) = 0;

  /// What the file shall say besides its pixels, before `finish`: for the formats whose encoders
  /// write metadata. Code points of colour that the format has no word for are left out.
  virtual void take_metadata(const Metadata& /*blocks*/) {}

  /// The file, once all rows are there.
  virtual std::string finish() = 0;
};

/// `quality`, 1…100, is for the lossy formats; `failure` is what an error says. Throws InputError
/// where the format is unknown.
std::unique_ptr<RowEncoder> make_row_encoder(const FileLayout& layout, ImageFormat format,
                                             int quality, const std::string& failure);

/// The encoder of one format; each is in a file of its own.
std::unique_ptr<RowEncoder> make_png_encoder(const FileLayout& layout, const std::string& failure);
std::unique_ptr<RowEncoder> make_jpeg_encoder(const FileLayout& layout, int quality,
                                              const std::string& failure);
std::unique_ptr<RowEncoder> make_tiff_encoder(const FileLayout& layout, const std::string& failure);
/// WebP and BMP, whose libraries want the whole picture.
std::unique_ptr<RowEncoder> make_whole_picture_encoder(const FileLayout& layout, ImageFormat format,
                                                       int quality, const std::string& failure);

}  // namespace srdiff
