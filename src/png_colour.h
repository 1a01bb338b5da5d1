#pragma once

#include <string>

namespace srdiff {

/// The chunks of a PNG, as "gAMA, cHRM", by which its colours are other than sRGB's and which an
/// output does not get; empty where an sRGB, iCCP or cICP chunk counts in their place, and for any
/// other format.
std::string foreign_colour_chunks(const std::string& file);

}  // namespace srdiff
