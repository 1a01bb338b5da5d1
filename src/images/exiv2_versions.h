#pragma once

#include <cstddef>
#include <cstdint>
#include <exiv2/exiv2.hpp>
#include <string>
#include <utility>

/// What differs between the interfaces of Exiv2 0.27 (Debian 12, Ubuntu 24.04) and 0.28 (Debian
/// 13): types of sizes, owners of images, and who may change an argument. The rest of srdiff calls
/// these functions and builds with both.
namespace srdiff::exiv2_versions {

#if EXIV2_TEST_VERSION(0, 28, 0)
using ImagePointer = Exiv2::Image::UniquePtr;
using Size = std::size_t;
#else
using ImagePointer = Exiv2::Image::AutoPtr;
using Size = long;
#endif

inline std::string string_of(const Exiv2::DataBuf& buffer) {
#if EXIV2_TEST_VERSION(0, 28, 0)
  const Exiv2::byte* data = buffer.empty() ? nullptr : buffer.c_data();
  const std::size_t size = buffer.size();
#else
  const Exiv2::byte* data = buffer.pData_;
  const std::size_t size = buffer.size_ > 0 ? static_cast<std::size_t>(buffer.size_) : 0;
#endif
  return size > 0 ? std::string(reinterpret_cast<const char*>(data), size) : std::string();
}

/// The colour profile of an image whose metadata have been read; empty where it has none.
inline std::string colour_profile_of(Exiv2::Image& image) {
#if EXIV2_TEST_VERSION(0, 28, 0)
  return string_of(image.iccProfile());
#else
  return string_of(*image.iccProfile());
#endif
}

/// Throws Exiv2's error where the bytes are no ICC profile.
inline void set_colour_profile(Exiv2::Image& image, const Exiv2::byte* data, std::size_t size) {
  Exiv2::DataBuf buffer(data, static_cast<Size>(size));
#if EXIV2_TEST_VERSION(0, 28, 0)
  image.setIccProfile(std::move(buffer));
#else
  image.setIccProfile(buffer);
#endif
}

/// The first value of a tag that holds at least one.
inline std::int64_t integer_of(const Exiv2::Metadatum& datum) {
#if EXIV2_TEST_VERSION(0, 28, 0)
  return datum.toInt64();
#else
  return datum.toLong();
#endif
}

/// EXIF as the bytes of a JPEG segment. Takes a copy: 0.28 removes what it cannot write from its
/// argument.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
inline Exiv2::Blob encode(Exiv2::ExifData exif, Exiv2::ByteOrder order) {
  Exiv2::Blob blob;
  Exiv2::ExifParser::encode(blob, order, exif);
  return blob;
}

}  // namespace srdiff::exiv2_versions
