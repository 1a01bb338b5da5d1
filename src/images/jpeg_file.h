#pragma once

#include <string>

#include "images/damage.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// Whether a JPEG's picture data is damaged. (libjpeg, and so OpenCV, fills pixels that it cannot
/// decode with grey and goes on.) False also for files that libjpeg cannot decode at all.
bool is_damaged_jpeg(const std::string& file);

/// C, M, Y and K of a JPEG with four channels, as amounts of ink: 0 is none. Adobe's programs store
/// them inverted and say so. Empty where libjpeg cannot decode them.
cv::Mat read_jpeg_inks(const std::string& file);

/// The pixels of a JPEG whose data is damaged or cut, as far as libjpeg comes: 1 channel of grey,
/// BGR, or inks as read_jpeg_inks gives them. What is missing is noted. Empty where not a row can
/// be read.
cv::Mat read_damaged_jpeg(const std::string& file, Damage& damage);

}  // namespace srdiff
