#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace srdiff {

/// The formats of picture files that srdiff reads and writes.
enum class ImageFormat { unknown, png, jpeg, webp, tiff, bmp };

/// What a format, or the library that writes it, can hold. Whatever differs between formats, apart
/// from how their bytes are laid out, stands in this table.
struct FormatTraits {
  ImageFormat format = ImageFormat::unknown;
  std::vector<std::string> words =
      {};                      ///< its file names' endings without the dot, the usual first
  std::int64_t max_side = 0;   ///< pixels
  std::int64_t max_bytes = 0;  ///< of the picture uncompressed
  bool sixteen_bits = false;   ///< a channel may have 16 bits, not 8 alone
  bool alpha = false;
  bool grey = false;        ///< a file may have one colour channel
  bool grey_alpha = false;  ///< … and alpha beside it
  bool profile = false;     ///< colour profile
  bool exif_and_xmp = false;
  bool iptc = false;
  bool comments = false;    ///< text beside EXIF, XMP and IPTC
  bool resolution = false;  ///< pixels a unit of length, beside EXIF
};

/// The formats in the order in which messages name them.
const std::vector<FormatTraits>& image_formats();

/// What a format can hold; of `unknown`, nothing.
const FormatTraits& traits_of(ImageFormat format);

/// The format of an ending with its dot, as ".png"; `unknown` where there is none.
ImageFormat format_of_ending(const std::string& ending);

/// Whether `--format` takes a word: the endings without the dot.
bool is_format_word(const std::string& word);

/// The usual endings for messages, as "png, jpg, webp, tiff or bmp", each behind `before`.
std::string list_of_formats(const std::string& before = "");

/// Whether a name ends as pictures do, in either case.
bool is_picture_name(const std::filesystem::path& name);

/// Whether a name starts with a dot, as those that macOS puts beside pictures do.
bool is_hidden(const std::filesystem::path& name);

}  // namespace srdiff
