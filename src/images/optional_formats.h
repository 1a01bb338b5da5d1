#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "images/image_header.h"
#include "images/row_encoder.h"

namespace cv {
class Mat;
}

namespace srdiff {

// The formats whose libraries a build may lack: JPEG XL, AVIF and HEIC. This is the one place that
// knows which of them are there. What such a file says of its colours and the blocks of its
// metadata are in its header's `beside`, as they are stored.

/// Whether this build reads a format; true for those that every build does.
bool has_library(ImageFormat format);

/// What messages say of a format that this build does not read.
std::string built_without(ImageFormat format);

/// The formats' names, each with its library and that one's version, as {"AVIF", "libavif 0.11.1"}.
std::vector<std::pair<std::string, std::string>> optional_libraries();

/// The header of a file of such a format, `unfit` where this build has no library for it.
ImageHeader read_optional_header(ImageFormat format, const ByteReader& bytes);

/// The pixels of such a file as they are stored: grey, BGR, and alpha behind either, of 8 bits a
/// channel, or of 16 for what has more. Empty where they cannot be decoded.
cv::Mat read_optional_pixels(const std::string& file, const ImageHeader& header);

/// The encoder of JPEG XL or AVIF. Throws InputError(failure) where this build has none.
std::unique_ptr<RowEncoder> make_optional_encoder(const FileLayout& layout, ImageFormat format,
                                                  int quality, const std::string& failure);

/// Whether a format holds code points of colour (images/code_points.h), of the optional ones.
bool holds_code_points(ImageFormat format, const std::string& cicp);

// Each format's own, in files of their own, which are compiled where the library is there.

std::string jxl_library();
ImageHeader read_jxl_header(const ByteReader& bytes);
cv::Mat read_jxl_pixels(const std::string& file, const ImageHeader& header);
std::unique_ptr<RowEncoder> make_jxl_encoder(const FileLayout& layout, int quality,
                                             const std::string& failure);

bool jxl_has_words_for(const std::string& cicp);

std::string avif_library();
ImageHeader read_avif_header(const ByteReader& bytes);
cv::Mat read_avif_pixels(const std::string& file, const ImageHeader& header);
std::unique_ptr<RowEncoder> make_avif_encoder(const FileLayout& layout, int quality,
                                              const std::string& failure);

std::string heic_library();
ImageHeader read_heic_header(const ByteReader& bytes);
cv::Mat read_heic_pixels(const std::string& file, const ImageHeader& header);

}  // namespace srdiff
