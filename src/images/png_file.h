#pragma once

#include <string>

#include "images/damage.h"

namespace cv {
class Mat;
}

namespace srdiff {

/// The pixels of a PNG that is damaged or cut, as far as libpng comes: 1 channel of grey, BGR or
/// BGRA, of 8 or 16 bits. What is missing is grey, or coarse where the picture is interlaced, and
/// is noted. Empty where not a row can be read.
cv::Mat read_damaged_png(const std::string& file, Damage& damage);

/// A PNG without its pixels and what follows them: what a reader of metadata needs of one that is
/// cut.
std::string png_without_pixels(const std::string& file);

}  // namespace srdiff
