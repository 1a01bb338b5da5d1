#pragma once

#include <string>

#include "images/image_format.h"
#include "srdiff/metadata.h"

namespace srdiff {

/// The encoded picture with what its format holds of `blocks` beside EXIF, XMP, IPTC and the
/// profile: a PNG's text and code points of colour, a JPEG's comments. A JPEG's comments go into a
/// PNG as text named Comment. What the format does not hold is left out with a warning that names
/// the picture. (The row encoders write the resolution.)
std::string embed_beside(std::string encoded, ImageFormat format, const Metadata& blocks,
                         const std::string& name);

}  // namespace srdiff
