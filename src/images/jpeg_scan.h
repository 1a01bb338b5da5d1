#pragma once

#include <string>

namespace srdiff {

/// Whether a JPEG's picture data is damaged: libjpeg, and OpenCV with it, fills up what it cannot
/// decode. False too for what libjpeg cannot decode at all.
bool is_damaged_jpeg(const std::string& file);

}  // namespace srdiff
