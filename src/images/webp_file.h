#pragma once

#include <string>

#include "images/image_header.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// The first frame of an animated WebP on its canvas, as BGR, or as BGRA where the frame has alpha
/// or leaves some of the canvas free. Empty where it cannot be decoded.
cv::Mat first_frame(const std::string& file, const ImageHeader& header);

}  // namespace srdiff
