#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "srdiff/image.h"

namespace srdiff {

/// Which pictures are decoded: bounds that hold before a pixel is, and what may be damaged.
struct DecodeLimits {
  std::int64_t max_pixels = std::int64_t{1} << 28;  ///< width × height that a header may declare
  /// Declared pixels for each byte of the file, against decompression bombs. Pictures of up to
  /// 16 Mi pixels may be as flat as they like.
  double max_pixels_per_byte = 500.0;
  std::int64_t max_file_bytes = std::int64_t{1} << 30;
  /// Reads what is left of a PNG, JPEG, TIFF or BMP whose data is damaged or cut, and fills the
  /// rest with grey. Image::damage and a warning say what is missing.
  bool accept_damaged = false;
};

/// Width and height that a picture file's header declares, in pixels; 0 × 0 where it does not say.
struct DeclaredSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// A picture file in memory whose header is read, once, so that its size is known before a pixel is
/// decoded. Takes one call at a time.
class PictureFile {
 public:
  /// Of a file's bytes; `name` is what messages call the picture. What is wrong with the header is
  /// said by `check` and `decode`.
  PictureFile(std::string bytes, const std::string& name);
  ~PictureFile();
  PictureFile(PictureFile&& other) noexcept;
  PictureFile& operator=(PictureFile&& other) noexcept;

  const std::string& bytes() const;

  /// The size of the pixels as they are stored: EXIF may lay the picture on its side.
  DeclaredSize stored_size() const;

  /// The size of the picture that `decode` gives, which is upright. Reads the metadata, once.
  DeclaredSize size();

  /// Throws InputError as `decode` does when the header or the file's length says that the picture
  /// cannot be decoded.
  void check(const DecodeLimits& limits) const;

  /// decode_image of the file.
  Image decode(const DecodeLimits& limits = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A regular file as a PictureFile. Throws InputError when it cannot be read; does not wait for a
/// pipe or a device.
PictureFile open_picture(const std::filesystem::path& path, const DecodeLimits& limits = {});

/// Decodes PNG, JPEG, WebP, TIFF (BigTIFF too), BMP or, where the build has their libraries, JPEG
/// XL, AVIF and HEIC by content, whatever the file is called. 8 and 16 bit, grey, colour and alpha
/// are kept; fewer bits become 8 and others 16; a palette becomes colour; CMYK and Lab become sRGB,
/// CMYK by its own profile or, without one, by what its inks leave of white; floating point counts
/// from 0 to 1. Of several pictures in a file the first is taken. The orientation of EXIF, or that
/// of the format itself, is applied; EXIF, XMP, IPTC, the colour profile, the resolution and text
/// come along. The declared size and the file's completeness are checked before memory is taken.
/// `name` is what messages call the picture. Throws InputError "NAME: reason"; what is lost or
/// converted is a warning.
Image decode_image(const std::string& bytes, const std::string& name,
                   const DecodeLimits& limits = {});

/// decode_image of a regular file. Throws InputError when it cannot be read; does not wait for a
/// pipe or a device.
Image read_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

struct EncodeOptions {
  int quality = 95;  ///< of JPEG, WebP, AVIF and JPEG XL, 1…100; lossless only in JPEG XL, at 100
  bool strip_metadata = false;  ///< writes neither the picture's metadata nor `made_by`
  /// One line that says how the picture was made, for its metadata; empty: nothing is said.
  std::string made_by = {};
};

/// What a picture is, before its pixels are there.
struct ImageLayout {
  std::int64_t width = 0;  ///< pixels
  std::int64_t height = 0;
  bool alpha = false;
  bool opaque = false;  ///< alpha is 1 everywhere, so that a format without alpha holds the picture
  int bit_depth = 8;    ///< bits a channel: 8 or 16
  bool grey = false;    ///< one colour channel
  std::shared_ptr<const Metadata> metadata = {};
};

ImageLayout layout_of(const Image& image);

/// Whether such a picture can be written as `extension`, at no cost. Throws InputError "NAME:
/// reason" when the format cannot hold its transparency (JPEG, BMP; opaque alpha is left out) or
/// its size, or is none that srdiff writes; UsageError on the quality.
void check_encodable(const ImageLayout& layout, const std::string& extension,
                     const std::string& name, const EncodeOptions& options = {});

/// Encodes a picture that comes in strips, from top to bottom, as encode_image does: the strips'
/// heights leave no trace in the file. Memory holds what is encoded so far and little more; for
/// WebP and BMP the picture at 8 bits a channel, and for JPEG XL and AVIF all that their libraries
/// take.
class ImageEncoder {
 public:
  /// `extension` is the format's, as ".png"; `name` is what messages call the picture. Throws as
  /// check_encodable does.
  ImageEncoder(ImageLayout layout, const std::string& extension, const std::string& name,
               const EncodeOptions& options = {});
  ~ImageEncoder();
  ImageEncoder(ImageEncoder&& other) noexcept;
  ImageEncoder& operator=(ImageEncoder&& other) noexcept;

  /// The next rows: `rgb` [3,rows,W] float32 in [−1,1] and `alpha` [1,rows,W] float32 in [0,1] on
  /// the CPU; alpha is undefined for a picture without. Values outside are clamped. Throws
  /// UsageError when they do not continue the picture, InputError when they cannot be encoded.
  void add(const at::Tensor& rgb, const at::Tensor& alpha = {});

  /// The whole file with its metadata, once; the encoder is spent then. Throws UsageError when
  /// rows are missing, InputError when the picture cannot be encoded.
  std::string finish();

 private:
  struct Picture;
  std::unique_ptr<Picture> picture_;
};

/// Encodes as the format of an ending: .png, .jpg, .jpeg, .jpe, .jfif, .webp, .tif, .tiff, .bmp,
/// and .jxl and .avif where the build has their libraries. Values are rounded to the image's bit
/// depth; formats without 16 bit (JPEG, WebP, BMP) get 8, and AVIF 12. The same image and options
/// give the same bytes. Metadata that the format cannot hold is left out with a warning. Throws as
/// check_encodable does, and InputError when encoding fails.
std::string encode_image(const Image& image, const std::string& extension, const std::string& name,
                         const EncodeOptions& options = {});

/// Throws UsageError unless the path's ending is one that encode_image writes.
void check_writable_format(const std::filesystem::path& path);

/// The ending that names a path's format, in lower case: ".png" for "A.PNG".
std::string picture_ending(const std::filesystem::path& path);

/// Writes an encoded picture to a file that appears whole or not at all.
/// Throws InputError; what was at `path` before then still is.
void write_image_file(const std::filesystem::path& path, const std::string& encoded);

/// encode_image and write_image_file.
void write_image(const std::filesystem::path& path, const Image& image,
                 const EncodeOptions& options = {});

}  // namespace srdiff
