#pragma once

#include <optional>
#include <string>
#include <vector>

namespace srdiff {

/// Pixels a unit of length. An enlarged picture keeps it as it is, as EXIF's and TIFF's always
/// were: at the same pixels per inch it prints as many times larger as it has become, which is what
/// one enlarges for. (To print it at the old size, multiply by the scale.)
struct Resolution {
  float x = 0.0F;
  float y = 0.0F;
  int unit = 0;  ///< 1 none (the pixels' proportions alone), 2 inch, 3 centimetre; 0 unsaid
};

/// What a picture's file says besides its pixels: raw blocks, empty where there is none.
/// decode_image makes them true for the upright pixels that it returns: the orientation is 1, the
/// thumbnail and the tags that describe the file's own layout are gone.
struct Metadata {
  std::string exif = {};  ///< a TIFF structure, from its byte order mark on
  std::string xmp = {};   ///< a packet: XML in UTF-8
  std::string iptc = {};  ///< IIM datasets
  std::string icc = {};   ///< the colour profile
  std::string cicp =
      {};  ///< a PNG's coding-independent code points, which name its colours: 4 bytes
  std::vector<std::string> comments = {};  ///< a JPEG's
  /// A PNG's text chunks without their lengths and checksums: "tEXt" and so on, keyword, 0, text.
  std::vector<std::string> png_text = {};
  std::optional<Resolution> resolution = {};  ///< what the file says outside EXIF
};

}  // namespace srdiff
