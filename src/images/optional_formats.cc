#include "images/optional_formats.h"

#include <opencv2/core.hpp>

#include "srdiff/error.h"

namespace srdiff {

namespace {

#ifdef SRDIFF_HAS_JXL
constexpr bool has_jxl = true;
#else
constexpr bool has_jxl = false;
#endif
#ifdef SRDIFF_HAS_AVIF
constexpr bool has_avif = true;
#else
constexpr bool has_avif = false;
#endif
#ifdef SRDIFF_HAS_HEIC
constexpr bool has_heic = true;
#else
constexpr bool has_heic = false;
#endif

}  // namespace

bool has_library(ImageFormat format) {
  switch (format) {
    case ImageFormat::unknown:
      return false;
    case ImageFormat::jxl:
      return has_jxl;
    case ImageFormat::avif:
      return has_avif;
    case ImageFormat::heic:
      return has_heic;
    default:
      return true;
  }
}

std::string built_without(ImageFormat format) {
  const char* library = format == ImageFormat::jxl    ? "libjxl"
                        : format == ImageFormat::avif ? "libavif"
                                                      : "libheif";
  return "is " + traits_of(format).title + ", and this srdiff is built without " + library;
}

std::vector<std::pair<std::string, std::string>> optional_libraries() {
  std::vector<std::pair<std::string, std::string>> libraries;
  const auto add = [&](ImageFormat format, const std::string& library) {
    libraries.emplace_back(traits_of(format).title, library);
  };
  const std::string none = "not built in";
#ifdef SRDIFF_HAS_JXL
  add(ImageFormat::jxl, jxl_library());
#else
  add(ImageFormat::jxl, none);
#endif
#ifdef SRDIFF_HAS_AVIF
  add(ImageFormat::avif, avif_library());
#else
  add(ImageFormat::avif, none);
#endif
#ifdef SRDIFF_HAS_HEIC
  add(ImageFormat::heic, heic_library());
#else
  add(ImageFormat::heic, none);
#endif
  return libraries;
}

ImageHeader read_optional_header(ImageFormat format, [[maybe_unused]] const ByteReader& bytes) {
#ifdef SRDIFF_HAS_JXL
  if (format == ImageFormat::jxl) {
    return read_jxl_header(bytes);
  }
#endif
#ifdef SRDIFF_HAS_AVIF
  if (format == ImageFormat::avif) {
    return read_avif_header(bytes);
  }
#endif
#ifdef SRDIFF_HAS_HEIC
  if (format == ImageFormat::heic) {
    return read_heic_header(bytes);
  }
#endif
  ImageHeader header{format};
  header.unfit = built_without(format);
  return header;
}

cv::Mat read_optional_pixels([[maybe_unused]] const std::string& file, const ImageHeader& header) {
  switch (header.format) {
#ifdef SRDIFF_HAS_JXL
    case ImageFormat::jxl:
      return read_jxl_pixels(file, header);
#endif
#ifdef SRDIFF_HAS_AVIF
    case ImageFormat::avif:
      return read_avif_pixels(file, header);
#endif
#ifdef SRDIFF_HAS_HEIC
    case ImageFormat::heic:
      return read_heic_pixels(file, header);
#endif
    default:
      return {};
  }
}

std::unique_ptr<RowEncoder> make_optional_encoder([[maybe_unused]] const FileLayout& layout,
                                                  ImageFormat format, [[maybe_unused]] int quality,
                                                  const std::string& failure) {
  switch (format) {
#ifdef SRDIFF_HAS_JXL
    case ImageFormat::jxl:
      return make_jxl_encoder(layout, quality, failure);
#endif
#ifdef SRDIFF_HAS_AVIF
    case ImageFormat::avif:
      return make_avif_encoder(layout, quality, failure);
#endif
    default:
      throw InputError(failure);
  }
}

bool holds_code_points([[maybe_unused]] ImageFormat format,
                       [[maybe_unused]] const std::string& cicp) {
#ifdef SRDIFF_HAS_JXL
  if (format == ImageFormat::jxl) {
    return jxl_has_words_for(cicp);
  }
#endif
  return true;
}

}  // namespace srdiff
