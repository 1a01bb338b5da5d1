#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace srdiff {

/// The formats of picture files that srdiff knows.
enum class ImageFormat { unknown, png, jpeg, webp, tiff, bmp, jxl, avif, heic };

/// What a format, or the library that writes it, can hold. Whatever differs between formats, apart
/// from how their bytes are laid out, stands in this table.
struct FormatTraits {
  ImageFormat format = ImageFormat::unknown;
  std::vector<std::string> words =
      {};                  ///< its file names' endings without the dot, the usual first
  std::string title = {};  ///< its name in messages
  /// Files are written. Every format is read, JPEG XL, AVIF and HEIC if this build has the library.
  bool writes = true;
  std::int64_t max_side = 0;                                           ///< pixels
  std::int64_t max_pixels = std::numeric_limits<std::int64_t>::max();  ///< width × height
  std::int64_t max_bytes = 0;  ///< of the picture uncompressed
  bool sixteen_bits = false;   ///< a channel may have more than 8 bits: 16, and 12 in AVIF
  bool alpha = false;
  bool grey = false;         ///< a file may have one colour channel
  bool grey_alpha = false;   ///< … and alpha beside it
  bool profile = false;      ///< colour profile
  bool code_points = false;  ///< those of colour, as in PNG's cICP
  bool exif_and_xmp = false;
  bool iptc = false;
  bool comments = false;    ///< text beside EXIF, XMP and IPTC
  bool resolution = false;  ///< pixels a unit of length, beside EXIF
  /// The encoder writes the metadata as it encodes; elsewhere embed_metadata adds them to the file.
  bool metadata_by_encoder = false;
};

/// The formats in the order in which messages name them.
const std::vector<FormatTraits>& image_formats();

/// What a format can hold; of `unknown`, nothing.
const FormatTraits& traits_of(ImageFormat format);

/// The format of an ending with its dot, as ".png"; `unknown` where there is none.
ImageFormat format_of_ending(const std::string& ending);

/// Whether `--format` takes a word: the endings, without the dot, of formats that are written.
bool is_format_word(const std::string& word);

/// The usual endings that are written, for messages, as "png, jpg, webp, tiff or bmp", each behind
/// `before`.
std::string list_of_formats(const std::string& before = "");

/// The names of all formats, as "PNG, JPEG, WebP".
std::string list_of_titles();

/// Why no file of this ending, with its dot, can be written, for messages: "HEIC is read but not
/// written". Empty where it can.
std::string why_not_written(const std::string& ending);

/// Whether a name ends as pictures do, in either case.
bool is_picture_name(const std::filesystem::path& name);

/// Whether a name starts with a dot, as those that macOS puts beside pictures do.
bool is_hidden(const std::filesystem::path& name);

}  // namespace srdiff
