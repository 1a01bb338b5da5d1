#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "images/byte_reader.h"
#include "images/damage.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// The headers of a BMP: Windows' of 40 to 124 bytes, and OS/2's of 12 to 64.
struct BmpInfo {
  enum class Compression { none, rle8, rle4 };
  /// Which bits of a pixel are red, green, blue and alpha, for 16 and 32 bits; 0 for an absent one.
  using Masks = std::array<std::uint32_t, 4>;

  std::int64_t width = -1;
  std::int64_t height = -1;
  bool top_down = false;  ///< the first row is the upper one
  int bits = 0;           ///< a pixel: 1, 2, 4 or 8 (with a palette), 16, 24 or 32
  Compression compression = Compression::none;
  Masks masks = {};
  std::size_t palette_offset = 0;
  std::size_t palette_entry_bytes = 4;
  std::size_t colours = 0;  ///< in the palette
  std::size_t pixel_offset = 0;
  std::int64_t pixels_per_metre_x = 0;
  std::int64_t pixels_per_metre_y = 0;
  std::string unfit = {};  ///< why it cannot be read; empty: it can
};

BmpInfo read_bmp_info(const ByteReader& bytes);

/// The pixels: 1 channel where the whole palette is grey, BGRA where there is a mask for alpha,
/// else BGR; 16 bits a channel where a mask has more than 8. Runs are
/// clipped at the end of their row. Empty where the file ends too early or `info` is unfit.
cv::Mat read_bmp_pixels(const ByteReader& bytes, const BmpInfo& info);

/// The same of a file that ends before its last row: rows that are missing are grey, and noted.
/// Empty where not a row is there, and for runs.
cv::Mat read_cut_bmp(const std::string& file, const BmpInfo& info, Damage& damage);

}  // namespace srdiff
