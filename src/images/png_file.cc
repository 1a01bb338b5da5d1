#include "images/png_file.h"

#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <opencv2/core.hpp>
#include <string_view>

#include "images/byte_reader.h"

namespace srdiff {
namespace {

struct UnreadablePng {};

/// Reads rows until libpng gives up.
class PngReader {
 public:
  PngReader(const std::string& file, Damage& damage) : left_(file), damage_(damage) {
    png_ = ::png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this, [](png_structp, png_const_charp) { throw UnreadablePng(); },
        note_warning);
    info_ = png_ == nullptr ? nullptr : ::png_create_info_struct(png_);
    if (info_ == nullptr) {
      ::png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    ::png_set_read_fn(png_, this, read);
    ::png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // What a wrong checksum covers may still be right for the most part.
    ::png_set_crc_action(png_, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD);
    ::png_set_benign_errors(png_, 1);
    // libpng asks for so many bytes at once, and those before the end of a cut file count.
    ::png_set_compression_buffer_size(png_, 32);
  }
  ~PngReader() { ::png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  cv::Mat read_pixels() {
    try {
      ::png_read_info(png_, info_);
      set_transformations();
      const int passes = ::png_set_interlace_handling(png_);
      ::png_read_update_info(png_, info_);
      create_pixels();
      read_rows(passes);
      ::png_read_end(png_, nullptr);
    } catch (const UnreadablePng&) {
      note_missing_rows();
    }
    if (doubtful_) {
      damage_.add_doubt();
    }
    return pixels_;
  }

 private:
  static void read(png_structp png, png_bytep out, png_size_t size) {
    std::string_view& left = static_cast<PngReader*>(::png_get_io_ptr(png))->left_;
    if (left.size() < size) {
      throw UnreadablePng();
    }
    std::copy_n(left.data(), size, reinterpret_cast<char*>(out));
    left.remove_prefix(size);
  }

  static void note_warning(png_structp png, png_const_charp message) {
    const std::string_view text(message);
    // Of another chunk, which pixels do not need.
    const bool of_pixels = text.substr(0, 4) == "IDAT" || text.substr(0, 4) == "PLTE";
    if (of_pixels) {
      static_cast<PngReader*>(::png_get_error_ptr(png))->doubtful_ = true;
    }
  }

  /// To what OpenCV makes of a PNG.
  void set_transformations() {
    const int type = ::png_get_color_type(png_, info_);
    const bool clear_colour = ::png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    if (type == PNG_COLOR_TYPE_PALETTE) {
      ::png_set_palette_to_rgb(png_);
    }
    if (type == PNG_COLOR_TYPE_GRAY) {
      ::png_set_expand_gray_1_2_4_to_8(png_);
    } else if (clear_colour) {
      ::png_set_tRNS_to_alpha(png_);
    }
    if (type == PNG_COLOR_TYPE_GRAY_ALPHA) {
      ::png_set_gray_to_rgb(png_);
    }
    if (::png_get_bit_depth(png_, info_) == 16) {
      ::png_set_swap(png_);  // PNG's samples are big-endian
    }
    ::png_set_bgr(png_);
  }

  void create_pixels() {
    const bool deep = ::png_get_bit_depth(png_, info_) == 16;
    const auto height = static_cast<int>(::png_get_image_height(png_, info_));
    const auto width = static_cast<int>(::png_get_image_width(png_, info_));
    pixels_.create(height, width,
                   CV_MAKETYPE(deep ? CV_16U : CV_8U, ::png_get_channels(png_, info_)));
    if (::png_get_rowbytes(png_, info_) != pixels_.elemSize() * static_cast<std::size_t>(width)) {
      pixels_.release();
      throw UnreadablePng();
    }
    fill_grey(pixels_);
  }

  void read_rows(int passes) {
    interlaced_ = passes > 1;
    for (pass_ = 0; pass_ < passes; ++pass_) {
      for (row_ = 0; row_ < pixels_.rows; ++row_) {
        // Of an interlaced picture each pixel stands for those that later passes bring.
        ::png_read_row(png_, interlaced_ ? nullptr : pixels_.ptr(row_),
                       interlaced_ ? pixels_.ptr(row_) : nullptr);
      }
    }
    complete_ = true;
  }

  void note_missing_rows() {
    if (complete_) {
      damage_.add_harmless();
    } else if (pass_ == 0 && row_ == 0) {
      pixels_.release();
    } else {
      if (pass_ == 0) {
        damage_.add_rows(row_, pixels_.rows);
      }
      doubtful_ = doubtful_ || interlaced_;
    }
  }

  std::string_view left_;
  Damage& damage_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  cv::Mat pixels_;
  bool interlaced_ = false;
  bool complete_ = false;
  bool doubtful_ = false;
  int pass_ = 0;
  int row_ = 0;
};

}  // namespace

cv::Mat read_damaged_png(const std::string& file, Damage& damage) {
  return PngReader(file, damage).read_pixels();
}

std::string png_without_pixels(const std::string& file) {
  using namespace std::string_view_literals;
  constexpr std::string_view end = "\0\0\0\0IEND\xAE\x42\x60\x82"sv;
  const ByteReader bytes(file);
  std::size_t offset = 8;
  while (offset + 12 <= bytes.size() && !bytes.has(offset + 4, "IDAT"sv)) {
    const std::size_t next = offset + 12 + bytes.big(offset, 4);
    if (next > bytes.size()) {
      break;
    }
    offset = next;
  }
  return file.substr(0, std::min(offset, file.size())).append(end);
}

}  // namespace srdiff
