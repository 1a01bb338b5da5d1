#pragma once

#include <string>

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

}  // namespace srdiff
