#include "images/metadata_beside.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/text_escape.h"
#include "images/byte_reader.h"
#include "images/code_points.h"
#include "images/optional_formats.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

constexpr std::size_t png_type_bytes = 4;

std::string big_endian(std::size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

/// `content`: type and data.
std::string png_chunk(const std::string& content) {
  const uLong sum =
      ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
  return big_endian(content.size() - png_type_bytes, 4) + content + big_endian(sum, 4);
}

/// Latin-1, as PNG's tEXt is, where a comment is no more than ASCII; else UTF-8, as iTXt is.
std::string png_comment(const std::string& comment) {
  const std::string text = comment.substr(0, comment.find('\0'));
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 128; });
  using namespace std::string_literals;
  return (ascii ? "tEXtComment\0"s : "iTXtComment\0\0\0\0\0"s) + text;
}

/// Behind the header, before all other chunks.
void add_to_png(std::string& png, const Metadata& blocks) {
  constexpr std::size_t header_end = 8 + 12 + 13;
  std::string chunks;
  if (!blocks.cicp.empty()) {
    chunks += png_chunk("cICP" + blocks.cicp);
  }
  for (const std::string& text : blocks.png_text) {
    chunks += png_chunk(text);
  }
  for (const std::string& comment : blocks.comments) {
    chunks += png_chunk(png_comment(comment));
  }
  png.insert(std::min(header_end, png.size()), chunks);
}

/// Behind the segments of JFIF, EXIF and so on.
void add_to_jpeg(std::string& jpeg, const std::vector<std::string>& comments) {
  const ByteReader bytes(jpeg);
  std::size_t offset = 2;
  while (bytes.at(offset) == 0xFF && bytes.at(offset + 1) >= 0xE0 && bytes.at(offset + 1) <= 0xEF) {
    offset += 2 + bytes.big(offset + 2, 2);
  }
  std::string segments;
  for (const std::string& comment : comments) {
    segments += "\xFF\xFE" + big_endian(comment.size() + 2, 2) + comment;
  }
  jpeg.insert(std::min(offset, jpeg.size()), segments);
}

/// The names of a PNG's texts, as "Title, Author".
std::string keywords(const std::vector<std::string>& png_text) {
  std::vector<std::string> words;
  for (const std::string& chunk : png_text) {
    const std::string word =
        chunk.substr(png_type_bytes, chunk.find('\0', png_type_bytes) - png_type_bytes);
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      words.push_back(word);
    }
  }
  std::string list;
  for (const std::string& word : words) {
    list += (list.empty() ? "" : ", ") + word;
  }
  return list;
}

}  // namespace

std::string embed_beside(std::string encoded, ImageFormat format, const Metadata& blocks,
                         const std::string& name) {
  const bool png = format == ImageFormat::png;
  if (png) {
    add_to_png(encoded, blocks);
  } else if (format == ImageFormat::jpeg) {
    add_to_jpeg(encoded, blocks.comments);
  }
  if (!png && !blocks.png_text.empty()) {
    log::warn("{}: its text ({}) is left out: the output's format does not hold it", name,
              printable(keywords(blocks.png_text)));
  }
  const bool holds_cicp = traits_of(format).code_points && holds_code_points(format, blocks.cicp);
  if (!holds_cicp && !are_srgb(blocks.cicp)) {
    log::warn("{}: its colours are not sRGB, and what says so (cICP) is left out", name);
  }
  if (!traits_of(format).comments && !blocks.comments.empty()) {
    log::warn("{}: its comment is left out: the output's format does not hold it", name);
  }
  return encoded;
}

}  // namespace srdiff
