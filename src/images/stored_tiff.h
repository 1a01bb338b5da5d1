#pragma once

#include <string>

namespace cv {
class Mat;
}

namespace srdiff {

/// The samples of a TIFF as they are stored, for the kinds that OpenCV misreads: grey, RGB or RGB
/// with a fourth channel, 8 or 16 bits each, in strips or tiles, in planes or not. Colours in
/// OpenCV's order, 0 black, not turned upright. Empty where libtiff cannot read them.
cv::Mat read_stored_tiff(const std::string& file);

}  // namespace srdiff
