#pragma once

#include <string>

namespace srdiff {

/// A file name as valid UTF-8, without loss: a backslash becomes `\\`, a byte that is not part of
/// UTF-8 `\xHH`. bash's `printf %b` turns it back.
std::string name_to_utf8(const std::string& name);
/// The file name that name_to_utf8 wrote so. Escapes of other kinds stay as they are.
std::string utf8_to_name(const std::string& text);

/// Text for a terminal, on one line: control characters, bytes that are not UTF-8 and marks that
/// turn the direction of text around become `\xHH`. Text that was made printable stays as it is.
std::string printable(const std::string& text);

}  // namespace srdiff
