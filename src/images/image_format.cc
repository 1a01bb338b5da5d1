#include "images/image_format.h"

#include <algorithm>
#include <limits>

#include "base/file_io.h"
#include "images/optional_formats.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t any_bytes = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
constexpr std::int64_t readable_side = std::int64_t{1} << 20;  // OpenCV reads no longer one

std::vector<FormatTraits> usual_formats() {
  return {
      {.format = ImageFormat::png,
       .words = {"png"},
       .title = "PNG",
       .max_side = 1'000'000,  // libpng's own limit, of writers and readers
       .max_bytes = any_bytes,
       .sixteen_bits = true,
       .alpha = true,
       .grey = true,
       .grey_alpha = true,
       .profile = true,
       .code_points = true,
       .exif_and_xmp = true,
       .iptc = true,
       .comments = true,
       .resolution = true},
      {.format = ImageFormat::jpeg,
       .words = {"jpg", "jpeg", "jpe", "jfif"},
       .title = "JPEG",
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
       .title = "WebP",
       .max_side = 16'383,
       .max_bytes = any_bytes,
       .alpha = true,
       .profile = true,
       .exif_and_xmp = true},
      {.format = ImageFormat::tiff,
       .words = {"tiff", "tif"},
       .title = "TIFF",
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
       .title = "BMP",
       .max_side = readable_side,
       .max_bytes = 2047 * mebibyte,  // OpenCV counts a BMP's bytes as int
       .grey = true,
       .resolution = true},
  };
}

/// Those whose libraries a build may lack.
std::vector<FormatTraits> newer_formats() {
  return {
      {.format = ImageFormat::jxl,
       .words = {"jxl"},
       .title = "JPEG XL",
       .writes = has_library(ImageFormat::jxl),
       // Those of codestream level 5, beyond which decoders need not read.
       .max_side = 1 << 18,
       .max_pixels = 1 << 28,
       .max_bytes = any_bytes,
       .sixteen_bits = true,
       .alpha = true,
       .grey = true,
       .grey_alpha = true,
       .profile = true,
       .code_points = true,
       .exif_and_xmp = true,
       .metadata_by_encoder = true},
      {.format = ImageFormat::avif,
       .words = {"avif"},
       .title = "AVIF",
       .writes = has_library(ImageFormat::avif),
       .max_side = 1 << 15,  // libavif, which browsers read with, decodes no larger ones
       .max_pixels = 1 << 28,
       .max_bytes = any_bytes,
       .sixteen_bits = true,
       .alpha = true,
       .grey = true,
       .grey_alpha = true,
       .profile = true,
       .code_points = true,
       .exif_and_xmp = true,
       .metadata_by_encoder = true},
      {.format = ImageFormat::heic,
       .words = {"heic", "heif", "hif"},
       .title = "HEIC",
       .writes = false},
  };
}

}  // namespace

const std::vector<FormatTraits>& image_formats() {
  static const std::vector<FormatTraits> formats = [] {
    std::vector<FormatTraits> all = usual_formats();
    const std::vector<FormatTraits> newer = newer_formats();
    all.insert(all.end(), newer.begin(), newer.end());
    return all;
  }();
  return formats;
}

const FormatTraits& traits_of(ImageFormat format) {
  static const FormatTraits none = {.writes = false};
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
  return traits_of(format_of_ending("." + word)).writes;
}

std::string list_of_formats(const std::string& before) {
  std::vector<std::string> words;
  for (const FormatTraits& traits : image_formats()) {
    if (traits.writes) {
      words.push_back(before + traits.words.front());
    }
  }
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    list += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + words[i];
  }
  return list;
}

std::string list_of_titles() {
  std::string list;
  for (const FormatTraits& traits : image_formats()) {
    list += (list.empty() ? "" : ", ") + traits.title;
  }
  return list;
}

std::string why_not_written(const std::string& ending) {
  const ImageFormat format = format_of_ending(ending);
  if (traits_of(format).writes) {
    return {};
  }
  if (format == ImageFormat::unknown) {
    return "its ending names no format that srdiff writes";
  }
  return has_library(format) ? traits_of(format).title + " is read but not written"
                             : built_without(format);
}

bool is_hidden(const fs::path& name) {
  return name.filename().native().front() == '.';
}

bool is_picture_name(const fs::path& name) {
  return format_of_ending(lower_case_extension(name)) != ImageFormat::unknown;
}

}  // namespace srdiff
