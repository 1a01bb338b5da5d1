#pragma once

#include <string>

#include "images/damage.h"
#include "images/image_header.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// The pixels of a TIFF or BigTIFF that `header` finds fit and not `rgba_only`, not turned upright:
/// its colours (1 grey, 3 BGR, or C, M, Y and K as amounts of ink) and alpha, where it has one,
/// behind them. Samples of up to 8 bits become 8, others 16; those of floating point reach
/// from 0 to 1, or from SMinSampleValue to SMaxSampleValue where the file says that they go beyond
/// 1; values outside are clamped with a warning that names the picture. A palette and Lab become
/// colours of sRGB. Empty where libtiff cannot read them; where there is a `damage` to note it in,
/// strips and tiles that it cannot read are grey, and it is empty where it reads none.
cv::Mat read_tiff_pixels(const std::string& file, const ImageHeader& header,
                         const std::string& name, Damage* damage = nullptr);

/// A TIFF's XMP, profile and resolution, for the kinds that Exiv2 does not read. Its EXIF and IPTC
/// are left out with a warning that names the picture.
Metadata read_tiff_blocks(const std::string& file, const std::string& name);

}  // namespace srdiff
