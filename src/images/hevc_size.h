#pragma once

#include "images/byte_reader.h"
#include "images/iso_media.h"

namespace srdiff {

/// The largest frame that the HEVC streams of a HEIC declare in their sequence parameter sets
/// (ITU-T H.265, 7.3.2.2), in its boxes or among its data; −1 × −1 where there is none. libheif
/// decodes frames of that size whatever size the file says that the picture has.
ItemSize largest_hevc_frame(const ByteReader& bytes);

}  // namespace srdiff
