#pragma once

#include <cstdint>
#include <string>

#include "images/image_header.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// The first frame of an animated WebP on its canvas, as BGR, or as BGRA where the frame has alpha
/// or leaves some of the canvas free. Empty where it cannot be decoded.
cv::Mat first_frame(const std::string& file, const ImageHeader& header);

/// The file with the extended header that WebP needs before a colour profile. Exiv2 0.27 would add
/// it with the profile under a wrong name. The encoder has written it where there is alpha.
std::string with_extended_header(const std::string& webp, std::int64_t width, std::int64_t height);

}  // namespace srdiff
