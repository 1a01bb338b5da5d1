#include "images/image_format.h"

#include <algorithm>
#include <limits>

#include "base/file_io.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t any_bytes = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
constexpr std::int64_t readable_side = std::int64_t{1} << 20;  // OpenCV reads no longer one

std::vector<FormatTraits> table() {
  return {
      {.format = ImageFormat::png,
       .words = {"png"},
       .max_side = 1'000'000,  // libpng's own limit, of writers and readers
       .max_bytes = any_bytes,
       .sixteen_bits = true,
       .alpha = true,
       .grey = true,
       .grey_alpha = true,
       .profile = true,
       .exif_and_xmp = true,
       .iptc = true,
       .comments = true,
       .resolution = true},
      {.format = ImageFormat::jpeg,
       .words = {"jpg", "jpeg", "jpe", "jfif"},
       .max_side = 65'500,
       .max_bytes = any_bytes,
       .grey = true,
       .profile = true,
       .exif_and_xmp = true,
       .iptc = true,
       .comments = true,
       .resolution = true},
      {.format = ImageFormat::webp,
       .words = {"webp"},
       .max_side = 16'383,
       .max_bytes = any_bytes,
       .alpha = true,
       .profile = true,
       .exif_and_xmp = true},
      {.format = ImageFormat::tiff,
       .words = {"tiff", "tif"},
       .max_side = readable_side,
       // The file must stay below 4 GiB, and LZW can make noise larger by half: 12 bits for 8.
       .max_bytes = 4096 * mebibyte / 3 * 2 - mebibyte,
       .sixteen_bits = true,
       .alpha = true,
       .grey = true,
       .profile = true,
       .exif_and_xmp = true,
       .iptc = true,
       .resolution = true},
      {.format = ImageFormat::bmp,
       .words = {"bmp"},
       .max_side = readable_side,
       .max_bytes = 2047 * mebibyte,  // OpenCV counts a BMP's bytes as int
       .grey = true,
       .resolution = true},
  };
}

}  // namespace

const std::vector<FormatTraits>& image_formats() {
  static const std::vector<FormatTraits> formats = table();
  return formats;
}

const FormatTraits& traits_of(ImageFormat format) {
  static const FormatTraits none;
  const auto& all = image_formats();
  const auto found = std::find_if(all.begin(), all.end(), [format](const FormatTraits& traits) {
    return traits.format == format;
  });
  return found == all.end() ? none : *found;
}

ImageFormat format_of_ending(const std::string& ending) {
  if (ending.empty() || ending.front() != '.') {
    return ImageFormat::unknown;
  }
  for (const FormatTraits& traits : image_formats()) {
    if (std::find(traits.words.begin(), traits.words.end(), ending.substr(1)) !=
        traits.words.end()) {
      return traits.format;
    }
  }
  return ImageFormat::unknown;
}

bool is_format_word(const std::string& word) {
  return format_of_ending("." + word) != ImageFormat::unknown;
}

std::string list_of_formats(const std::string& before) {
  const auto& all = image_formats();
  std::string list;
  for (std::size_t i = 0; i < all.size(); ++i) {
    list += (i == 0 ? "" : i + 1 < all.size() ? ", " : " or ") + before + all[i].words.front();
  }
  return list;
}

bool is_hidden(const fs::path& name) {
  return name.filename().native().front() == '.';
}

bool is_picture_name(const fs::path& name) {
  return format_of_ending(lower_case_extension(name)) != ImageFormat::unknown;
}

}  // namespace srdiff
