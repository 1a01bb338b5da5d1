#pragma once

#include <string>

namespace srdiff {

// Code points of ITU-T H.273 name a picture's colours: primaries, transfer curve, matrix, range.
// Metadata hold them as PNG's cICP does, 4 bytes for RGB; AVIF and HEIC have them as nclx. 1 and 13
// are sRGB's primaries and curve, 2 says nothing.

/// Of primaries and a curve; empty where they are those of sRGB, or nothing is said.
std::string code_points(unsigned primaries, unsigned transfer);

/// Whether code points, of 4 bytes or empty, say no more than sRGB.
bool are_srgb(const std::string& code_points);

}  // namespace srdiff
