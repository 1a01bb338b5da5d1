#include "base/text_escape.h"

#include <cstddef>
#include <cstdint>

namespace srdiff {
namespace {

constexpr const char* digits = "0123456789abcdef";

unsigned char at(const std::string& text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool continues(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

/// Bytes of the UTF-8 character at `i`, 0 where there is none (RFC 3629, table 3-7 of Unicode).
std::size_t character_length(const std::string& text, std::size_t i) {
  const unsigned char first = at(text, i);
  const unsigned char second = at(text, i + 1);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return continues(second) ? 2 : 0;
  }
  if (!continues(second) || !continues(at(text, i + 2))) {
    return 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  const bool in_range = (first == 0xF0 && second >= 0x90) || (first > 0xF0 && first < 0xF4) ||
                        (first == 0xF4 && second <= 0x8F);
  return in_range && continues(at(text, i + 3)) ? 4 : 0;
}

void append_hex(std::string& text, unsigned char byte) {
  text.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
}

int hex_value(char c) {
  const std::size_t found = std::string("0123456789abcdef").find(c);
  return found == std::string::npos ? -1 : static_cast<int>(found);
}

/// Copies `text`; a byte outside UTF-8, or a character that `special` takes, is escaped.
template <typename Special>
std::string escaped(const std::string& text, Special special) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = character_length(text, i);
    const std::string character = text.substr(i, length);
    if (length == 0) {
      append_hex(result, at(text, i));
    } else if (!special(result, character)) {
      result += character;
    }
    i += length == 0 ? 1 : length;
  }
  return result;
}

std::uint32_t code_point(const std::string& character) {
  std::uint32_t value = at(character, 0);
  if (character.size() > 1) {
    value &= 0xFFU >> (character.size() + 1);
  }
  for (std::size_t i = 1; i < character.size(); ++i) {
    value = value << 6 | (at(character, i) & 0x3FU);
  }
  return value;
}

/// Controls, line and paragraph separators, and what turns the direction of the text around.
bool changes_the_line(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F;
}

}  // namespace

std::string name_to_utf8(const std::string& name) {
  return escaped(name, [](std::string& result, const std::string& character) {
    const bool backslash = character == "\\";
    result += backslash ? "\\\\" : "";
    return backslash;
  });
}

std::string utf8_to_name(const std::string& text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '\\' || (next != '\\' && next != 'x')) {
      name += text[i];
    } else if (next == '\\') {
      name += '\\';
      i += 1;
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      const int low = i + 3 < text.size() ? hex_value(text[i + 3]) : -1;
      const bool hex = high >= 0 && low >= 0;
      name += hex ? static_cast<char>(high * 16 + low) : '\\';
      i += hex ? 3 : 0;
    }
  }
  return name;
}

std::string printable(const std::string& text) {
  return escaped(text, [](std::string& result, const std::string& character) {
    const bool special = changes_the_line(code_point(character));
    for (std::size_t i = 0; special && i < character.size(); ++i) {
      append_hex(result, at(character, i));
    }
    return special;
  });
}

}  // namespace srdiff
