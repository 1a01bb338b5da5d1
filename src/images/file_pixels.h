#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "images/damage.h"
#include "images/image_header.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// Whether FilePixels reads what is left of a damaged file of this kind.
bool is_read_damaged(const ImageHeader& header);

/// A decoded picture with its samples as they are stored.
class FilePixels {
 public:
  /// The pixels of a file whose header was found good. Throws InputError "NAME: reason"; where
  /// damage is accepted, that of a PNG, JPEG, TIFF or BMP is noted instead, as long as a row of it
  /// can be read.
  FilePixels(const std::string& file, const ImageHeader& header, const std::string& name,
             bool accept_damaged);
  ~FilePixels();
  FilePixels(const FilePixels&) = delete;
  FilePixels& operator=(const FilePixels&) = delete;

  const Damage& damage() const { return damage_; }
  int bit_depth() const;  ///< 8 or 16
  bool grey() const;      ///< one colour channel

  /// Inks to colours of sRGB, by the profile `icc` where it is one of CMYK, with a warning that
  /// names the picture. Does nothing where the channels are no inks.
  void convert_inks(const std::string& icc, const std::string& name);

  /// [C,H,W] float32 in [0,1]: 3 RGB, of a grey file three times the same, or 4 RGB and straight
  /// alpha. `orientation` is EXIF's, 1…8, of the pixels as stored. Gives the stored samples up, so
  /// that few copies of a picture are there at a time.
  at::Tensor channels(int orientation) &&;

 private:
  std::unique_ptr<cv::Mat> decoded_;
  Damage damage_;
  ImageHeader::Alpha alpha_;
  bool inks_;
};

}  // namespace srdiff
