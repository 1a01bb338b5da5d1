#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "srdiff/image.h"

namespace srdiff {

/// Bounds that hold before a picture's pixels are decoded.
struct DecodeLimits {
  std::int64_t max_pixels = std::int64_t{1} << 28;  ///< width × height that a header may declare
};

/// Decodes PNG, JPEG, WebP, TIFF or BMP by content, whatever the file is called. 8 and 16 bit,
/// grey, colour and alpha are kept; a palette becomes colour; a JPEG's EXIF rotation is applied.
/// The declared size and the file's completeness are checked before memory is taken.
/// `name` is what messages call the picture. Throws InputError "NAME: reason".
Image decode_image(const std::string& bytes, const std::string& name,
                   const DecodeLimits& limits = {});

/// decode_image of a file. Throws InputError when it cannot be read.
Image read_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

/// Encodes as the format of a file name's ending: .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp.
/// Values are rounded to the image's bit depth; formats without 16 bit (JPEG, WebP, BMP) get 8.
/// JPEG and WebP are written at quality 95. Throws InputError when the format cannot hold what
/// the image has (transparency in JPEG or BMP).
std::string encode_image(const Image& image, const std::string& extension, const std::string& name);

/// Throws UsageError unless the path's ending is one that encode_image writes.
void check_writable_format(const std::filesystem::path& path);

/// encode_image to a file that appears whole or not at all.
/// Throws InputError; what was at `path` before then still is.
void write_image(const std::filesystem::path& path, const Image& image);

}  // namespace srdiff
