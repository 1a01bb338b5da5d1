#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "images/byte_reader.h"
#include "images/image_format.h"

namespace srdiff {

// Files of boxes, as ISO/IEC 14496-12 has them: AVIF, HEIC and most JPEG XL.

/// AVIF, HEIC or unknown, by the brands of a file's first box.
ImageFormat format_of_brands(const ByteReader& bytes);

/// Whether a box that holds the picture, or what describes it, goes on beyond the file's end.
bool has_cut_box(const ByteReader& bytes);

/// The size that an item of the file declares, of those the one with the most pixels; −1 × −1 where
/// there is none.
struct ItemSize {
  std::int64_t width = -1;
  std::int64_t height = -1;
};
ItemSize largest_item(const ByteReader& bytes);

/// Whether all pictures of a HEIC are of one colour channel.
bool is_monochrome_hevc(const ByteReader& bytes);

/// EXIF of such a file as the TIFF structure that it is, without the offset and the words before
/// it.
std::string exif_without_prefix(std::string_view block);

}  // namespace srdiff
