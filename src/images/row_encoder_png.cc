#include "images/row_encoder.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <new>
#include <utility>

#include "images/pixels_a_metre.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

class PngEncoder : public RowEncoder {
 public:
  PngEncoder(const FileLayout& layout, std::string failure) : failure_(std::move(failure)) {
    png_ = ::png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure_, fail,
                                     [](png_structp, png_const_charp) {});
    if (png_ == nullptr) {
      throw std::bad_alloc();
    }
    try {
      begin(layout);
    } catch (...) {
      ::png_destroy_write_struct(&png_, &info_);
      throw;
    }
  }
  ~PngEncoder() override { ::png_destroy_write_struct(&png_, &info_); }

  void add_row(const unsigned char* samples) override { ::png_write_row(png_, samples); }

  std::string finish() override {
    ::png_write_end(png_, nullptr);
    return std::move(file_);
  }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp /*message*/) {
    throw InputError(*static_cast<const std::string*>(::png_get_error_ptr(png)));
  }

  static void append(png_structp png, png_bytep data, png_size_t size) {
    static_cast<std::string*>(::png_get_io_ptr(png))
        ->append(reinterpret_cast<const char*>(data), size);
  }

  void begin(const FileLayout& layout) {
    info_ = ::png_create_info_struct(png_);
    if (info_ == nullptr) {
      throw std::bad_alloc();
    }
    ::png_set_write_fn(png_, &file_, append, nullptr);
    // After Paeth's filter photographs repeat so seldom that deflate finds little more than runs.
    // Looking for runs alone gives files as small as level 4 does, three times as fast.
    ::png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    ::png_set_compression_level(png_, Z_BEST_SPEED);
    ::png_set_compression_strategy(png_, Z_RLE);
    constexpr std::array<int, 4> colour_types = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    ::png_set_IHDR(png_, info_, static_cast<png_uint_32>(layout.width),
                   static_cast<png_uint_32>(layout.height), layout.bit_depth,
                   colour_types.at(static_cast<std::size_t>(layout.channels - 1)),
                   PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (layout.resolution) {
      set_resolution(*layout.resolution);
    }
    ::png_write_info(png_, info_);
    if (layout.bit_depth == 16) {
      ::png_set_swap(png_);  // PNG's samples are big-endian
    }
  }

  void set_resolution(const Resolution& resolution) {
    const bool in_metres = resolution.unit == 2 || resolution.unit == 3;
    const auto number = [&](float value) {
      constexpr std::int64_t most = 0x7FFFFFFF;  // of PNG's numbers
      const std::int64_t whole =
          in_metres ? pixels_a_metre(value, resolution.unit) : std::llround(value);
      return static_cast<png_uint_32>(std::clamp<std::int64_t>(whole, 1, most));
    };
    ::png_set_pHYs(png_, info_, number(resolution.x), number(resolution.y),
                   in_metres ? PNG_RESOLUTION_METER : PNG_RESOLUTION_UNKNOWN);
  }

  std::string failure_;
  std::string file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

std::unique_ptr<RowEncoder> make_png_encoder(const FileLayout& layout, const std::string& failure) {
  return std::make_unique<PngEncoder>(layout, failure);
}

}  // namespace srdiff
