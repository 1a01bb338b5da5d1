#include "images/row_encoders.h"

#include <png.h>
#include <tiffio.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>  // before jpeglib.h, which wants FILE
#include <cstring>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include "images/tiff_memory.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

std::size_t row_bytes(const FileLayout& layout) {
  return static_cast<std::size_t>(layout.width) * static_cast<std::size_t>(layout.channels) *
         static_cast<std::size_t>(layout.bit_depth / 8);
}

class PngEncoder : public StripEncoder {
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
    // Of photographs Paeth's residues repeat too seldom for deflate to find more than runs: files
    // as small as at level 4, three times as fast.
    ::png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    ::png_set_compression_level(png_, Z_BEST_SPEED);
    ::png_set_compression_strategy(png_, Z_RLE);
    constexpr std::array<int, 4> colour_types = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    ::png_set_IHDR(png_, info_, static_cast<png_uint_32>(layout.width),
                   static_cast<png_uint_32>(layout.height), layout.bit_depth,
                   colour_types.at(static_cast<std::size_t>(layout.channels - 1)),
                   PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    ::png_write_info(png_, info_);
    if (layout.bit_depth == 16) {
      ::png_set_swap(png_);  // PNG's samples are big-endian
    }
  }

  std::string failure_;
  std::string file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class TiffEncoder : public StripEncoder {
 public:
  TiffEncoder(const FileLayout& layout, std::string failure)
      : failure_(std::move(failure)), row_(row_bytes(layout)) {
    // Little-endian on every machine, and not read through a mapping.
    tiff_.reset(memory_.open("wlm"));
    if (tiff_ == nullptr) {
      throw InputError(failure_);
    }
    describe(layout);
  }

  void add_row(const unsigned char* samples) override {
    std::memcpy(row_.data(), samples, row_.size());  // libtiff's predictor works in place
    check(::TIFFWriteScanline(tiff_.get(), row_.data(), next_row_++, 0));
  }

  std::string finish() override {
    check(::TIFFWriteDirectory(tiff_.get()));
    return std::move(memory_.bytes);
  }

 private:
  void check(int status) const {
    if (status != 1) {
      throw InputError(failure_);
    }
  }

  template <typename... Values>
  void set(std::uint32_t tag, Values... values) {
    check(::TIFFSetField(tiff_.get(), tag, values...));
  }

  void describe(const FileLayout& layout) {
    set(TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(layout.width));
    set(TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(layout.height));
    set(TIFFTAG_BITSPERSAMPLE, layout.bit_depth);
    set(TIFFTAG_SAMPLESPERPIXEL, layout.channels);
    set(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    set(TIFFTAG_PHOTOMETRIC, layout.channels < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
    set(TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    set(TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
    // LZW begins anew with each strip.
    constexpr std::size_t strip_bytes = std::size_t{1} << 16;
    set(TIFFTAG_ROWSPERSTRIP,
        static_cast<std::uint32_t>(std::max<std::size_t>(1, strip_bytes / row_.size())));
    if (layout.resolution) {
      set(TIFFTAG_XRESOLUTION, layout.resolution->x);
      set(TIFFTAG_YRESOLUTION, layout.resolution->y);
      if (layout.resolution->unit != 0) {
        set(TIFFTAG_RESOLUTIONUNIT, layout.resolution->unit);
      }
    }
    if (layout.channels == 4) {
      std::uint16_t straight_alpha = EXTRASAMPLE_UNASSALPHA;
      set(TIFFTAG_EXTRASAMPLES, 1, &straight_alpha);
    }
  }

  std::string failure_;
  TiffMemory memory_;
  std::vector<unsigned char> row_;
  std::uint32_t next_row_ = 0;
  std::unique_ptr<TIFF, decltype(&::TIFFCleanup)> tiff_{nullptr, ::TIFFCleanup};
};

class JpegEncoder : public StripEncoder {
 public:
  JpegEncoder(const FileLayout& layout, int quality, std::string failure)
      : failure_(std::move(failure)), buffer_(std::size_t{1} << 16) {
    info_.err = ::jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { throw InputError(self(info).failure_); };
    errors_.output_message = [](j_common_ptr) {};
    try {
      begin(layout, quality);
    } catch (...) {
      ::jpeg_destroy_compress(&info_);
      throw;
    }
  }
  ~JpegEncoder() override { ::jpeg_destroy_compress(&info_); }

  void add_row(const unsigned char* samples) override {
    JSAMPROW row = const_cast<JSAMPROW>(samples);  // NOLINT: libjpeg only reads it
    ::jpeg_write_scanlines(&info_, &row, 1);
  }

  std::string finish() override {
    ::jpeg_finish_compress(&info_);
    return std::move(file_);
  }

 private:
  template <typename Info>
  static JpegEncoder& self(Info info) {
    return *static_cast<JpegEncoder*>(info->client_data);
  }

  void begin(const FileLayout& layout, int quality) {
    ::jpeg_CreateCompress(&info_, JPEG_LIB_VERSION, sizeof(info_));
    destination_.init_destination = [](j_compress_ptr info) { self(info).empty_buffer(); };
    destination_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
      self(info).take(self(info).buffer_.size());
      return TRUE;
    };
    destination_.term_destination = [](j_compress_ptr info) {
      self(info).take(self(info).buffer_.size() - self(info).destination_.free_in_buffer);
    };
    info_.dest = &destination_;
    info_.image_width = static_cast<JDIMENSION>(layout.width);
    info_.image_height = static_cast<JDIMENSION>(layout.height);
    info_.input_components = layout.channels;
    info_.in_color_space = layout.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    ::jpeg_set_defaults(&info_);
    ::jpeg_set_quality(&info_, quality, TRUE);
    ::jpeg_start_compress(&info_, TRUE);
  }

  void take(std::size_t bytes) {
    file_.append(reinterpret_cast<const char*>(buffer_.data()), bytes);
    empty_buffer();
  }

  void empty_buffer() {
    destination_.next_output_byte = buffer_.data();
    destination_.free_in_buffer = buffer_.size();
  }

  std::string failure_;
  std::string file_;
  std::vector<unsigned char> buffer_;
  jpeg_error_mgr errors_ = {};
  jpeg_destination_mgr destination_ = {};
  jpeg_compress_struct info_ = {};
};

/// The formats that want the whole picture, of 8 bits a channel: WebP and BMP.
class WholePictureEncoder : public StripEncoder {
 public:
  WholePictureEncoder(const FileLayout& layout, std::string extension, int quality,
                      std::string failure)
      : extension_(std::move(extension)),
        quality_(quality),
        failure_(std::move(failure)),
        pixels_(static_cast<int>(layout.height), static_cast<int>(layout.width),
                CV_8UC(layout.channels)) {}

  void add_row(const unsigned char* samples) override {
    unsigned char* row = pixels_.ptr(next_row_++);
    std::memcpy(row, samples, static_cast<std::size_t>(pixels_.cols) * pixels_.elemSize());
    if (pixels_.channels() >= 3) {  // OpenCV's order is BGR
      for (int x = 0; x < pixels_.cols; ++x, row += pixels_.channels()) {
        std::swap(row[0], row[2]);
      }
    }
  }

  std::string finish() override {
    std::vector<unsigned char> encoded;
    try {
      if (cv::imencode(extension_, pixels_, encoded, {cv::IMWRITE_WEBP_QUALITY, quality_})) {
        pixels_.release();
        return {encoded.begin(), encoded.end()};
      }
    } catch (const cv::Exception& error) {
      if (is_out_of_memory(error)) {
        throw;
      }
    }
    throw InputError(failure_);
  }

 private:
  std::string extension_;
  int quality_;
  std::string failure_;
  cv::Mat pixels_;
  int next_row_ = 0;
};

}  // namespace

bool is_written(const std::string& extension) {
  constexpr std::array<std::string_view, 7> endings = {".png", ".jpg",  ".jpeg", ".webp",
                                                       ".tif", ".tiff", ".bmp"};
  return std::find(endings.begin(), endings.end(), extension) != endings.end();
}

std::unique_ptr<StripEncoder> make_strip_encoder(const FileLayout& layout,
                                                 const std::string& extension, int quality,
                                                 const std::string& failure) {
  if (extension == ".png") {
    return std::make_unique<PngEncoder>(layout, failure);
  }
  if (extension == ".tif" || extension == ".tiff") {
    return std::make_unique<TiffEncoder>(layout, failure);
  }
  if (extension == ".jpg" || extension == ".jpeg") {
    return std::make_unique<JpegEncoder>(layout, quality, failure);
  }
  if (extension == ".webp" || extension == ".bmp") {
    return std::make_unique<WholePictureEncoder>(layout, extension, quality, failure);
  }
  throw InputError(failure);
}

}  // namespace srdiff
