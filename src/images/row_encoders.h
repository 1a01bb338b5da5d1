#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "images/metadata.h"

namespace srdiff {

/// A picture as its file has it.
struct FileLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels = 3;   ///< 1 grey, 2 grey and alpha (PNG only), 3 RGB, 4 RGB and straight alpha
  int bit_depth = 8;  ///< 8, or 16 (PNG and TIFF only)
  std::optional<Resolution> resolution = {};  ///< for TIFF, where it is no part of EXIF's block
};

/// One format's encoder. What it throws are InputErrors in the words that it was made with.
class StripEncoder {
 public:
  StripEncoder() = default;
  StripEncoder(const StripEncoder&) = delete;
  StripEncoder& operator=(const StripEncoder&) = delete;
  virtual ~StripEncoder() = default;

  /// The next row: width × channels samples, interleaved, of one byte or two in the machine's
  /// order.
  virtual void add_row(const unsigned char* samples) = 0;

  /// The file, once all rows are there.
  virtual std::string finish() = 0;
};

/// Whether files of this ending, as ".png", are written.
bool is_written(const std::string& extension);

/// `extension` names the format, as ".png"; `quality`, 1…100, is for JPEG and WebP; `failure` is
/// what an error says. Throws InputError where the format is none that is written.
std::unique_ptr<StripEncoder> make_strip_encoder(const FileLayout& layout,
                                                 const std::string& extension, int quality,
                                                 const std::string& failure);

}  // namespace srdiff
