#pragma once

#include <exiv2/exiv2.hpp>
#include <string>

namespace srdiff {

/// A packet's properties. Throws std::invalid_argument, as encode_xmp does, and Exiv2's errors.
Exiv2::XmpData decode_xmp(const std::string& packet);
std::string encode_xmp(const Exiv2::XmpData& xmp);

/// The packet without what describes the file's own layout or what came behind its picture: the
/// latter goes with a warning that names the picture. `turned`: an orientation was applied to the
/// pixels, so that XMP's becomes 1; else XMP's stays, as viewers do not turn by it alone. Throws as
/// decode_xmp does, and for packets of more than 2 MiB.
std::string upright_xmp(const std::string& packet, bool turned, const std::string& name);

/// Appends a step to xmpMM:History, where XMP has a file's processing steps.
void add_history(Exiv2::XmpData& xmp, const std::string& made_by);

}  // namespace srdiff
