#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace srdiff {

/// Bounds-checked reads of a file's bytes; past the end everything is 0.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size(); }
  std::string_view bytes() const { return bytes_; }
  std::uint8_t at(std::size_t i) const {
    return i < bytes_.size() ? static_cast<std::uint8_t>(bytes_[i]) : 0;
  }
  bool has(std::size_t offset, std::string_view text) const {
    return offset <= bytes_.size() && bytes_.substr(offset, text.size()) == text;
  }
  /// `count` bytes, of up to 4, as a number whose first byte is the highest.
  std::uint32_t big(std::size_t i, int count) const {
    std::uint32_t value = 0;
    for (int k = 0; k < count; ++k) {
      value = value << 8 | at(i + static_cast<std::size_t>(k));
    }
    return value;
  }
  /// The same with the lowest byte first.
  std::uint32_t little(std::size_t i, int count) const {
    std::uint32_t value = 0;
    for (int k = count - 1; k >= 0; --k) {
      value = value << 8 | at(i + static_cast<std::size_t>(k));
    }
    return value;
  }

 private:
  std::string_view bytes_;
};

}  // namespace srdiff
