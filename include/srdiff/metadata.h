#pragma once

#include <string>

namespace srdiff {

/// What a picture's file says besides its pixels: raw blocks, empty where there is none.
/// decode_image makes them true for the upright pixels that it returns: the orientation is 1, the
/// thumbnail and the tags that describe the file's own layout are gone.
struct Metadata {
  std::string exif = {};  ///< a TIFF structure, from its byte order mark on
  std::string xmp = {};   ///< a packet: XML in UTF-8
  std::string iptc = {};  ///< IIM datasets
  std::string icc = {};   ///< the colour profile
};

}  // namespace srdiff
