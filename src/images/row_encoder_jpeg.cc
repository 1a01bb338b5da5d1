#include "images/row_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>  // before jpeglib.h, which wants FILE
#include <utility>
#include <vector>

#include <jpeglib.h>

#include "srdiff/error.h"

namespace srdiff {
namespace {

class JpegEncoder : public RowEncoder {
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
    if (layout.resolution && layout.resolution->unit != 0) {
      info_.density_unit = static_cast<UINT8>(layout.resolution->unit - 1);
      info_.X_density = density(layout.resolution->x);
      info_.Y_density = density(layout.resolution->y);
    }
    ::jpeg_start_compress(&info_, TRUE);
  }

  static UINT16 density(float value) {
    return static_cast<UINT16>(std::clamp(std::lround(value), 1L, 65535L));
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

}  // namespace

std::unique_ptr<RowEncoder> make_jpeg_encoder(const FileLayout& layout, int quality,
                                              const std::string& failure) {
  return std::make_unique<JpegEncoder>(layout, quality, failure);
}

}  // namespace srdiff
