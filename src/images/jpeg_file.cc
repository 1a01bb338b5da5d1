#include "images/jpeg_file.h"

#include <cstddef>
#include <cstdio>  // before jpeglib.h, which wants FILE
#include <opencv2/core.hpp>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>  // after jpeglib.h, whose types it wants

namespace srdiff {
namespace {

struct DamagedJpeg {};
struct UndecodableJpeg {};

/// Whether a warning of libjpeg means that pixels are lost. Others do not: for example, many
/// cameras write stray bytes between segments.
bool costs_pixels(int warning) {
  switch (warning) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
      return true;
    default:
      return false;
  }
}

struct JpegReader {
  JpegReader() {
    info.err = ::jpeg_std_error(&errors);
    errors.error_exit = [](j_common_ptr) { throw UndecodableJpeg(); };
    errors.emit_message = [](j_common_ptr common, int level) {
      const bool warning = level < 0;
      if (warning && costs_pixels(common->err->msg_code)) {
        throw DamagedJpeg();
      }
    };
  }
  ~JpegReader() { ::jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  jpeg_error_mgr errors = {};
  jpeg_decompress_struct info = {};
};

void begin(jpeg_decompress_struct& info, const std::string& file) {
  ::jpeg_CreateDecompress(&info, JPEG_LIB_VERSION, sizeof(info));
  ::jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  ::jpeg_read_header(&info, TRUE);
}

/// Decodes the picture at an eighth of its size and without converting colours, which reads every
/// code of the file and computes little.
void read_scans(jpeg_decompress_struct& info, const std::string& file) {
  begin(info, file);
  info.scale_num = 1;
  info.scale_denom = 8;
  info.out_color_space = info.jpeg_color_space;
  ::jpeg_start_decompress(&info);
  std::vector<JSAMPLE> samples(std::size_t{info.output_width} *
                               static_cast<std::size_t>(info.output_components));
  JSAMPROW row = samples.data();
  while (info.output_scanline < info.output_height) {
    ::jpeg_read_scanlines(&info, &row, 1);
  }
  ::jpeg_finish_decompress(&info);
}

}  // namespace

bool is_damaged_jpeg(const std::string& file) {
  JpegReader reader;
  try {
    read_scans(reader.info, file);
  } catch (const DamagedJpeg&) {
    return true;
  } catch (const UndecodableJpeg&) {
    return false;
  }
  return false;
}

cv::Mat read_jpeg_inks(const std::string& file) {
  JpegReader reader;
  jpeg_decompress_struct& info = reader.info;
  cv::Mat inks;
  try {
    begin(info, file);
    info.out_color_space = JCS_CMYK;
    ::jpeg_start_decompress(&info);
    inks.create(static_cast<int>(info.output_height), static_cast<int>(info.output_width), CV_8UC4);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = inks.ptr(static_cast<int>(info.output_scanline));
      ::jpeg_read_scanlines(&info, &row, 1);
    }
    if (info.saw_Adobe_marker != FALSE) {
      cv::bitwise_not(inks, inks);
    }
    ::jpeg_finish_decompress(&info);
  } catch (const DamagedJpeg&) {
    return {};
  } catch (const UndecodableJpeg&) {
    return {};
  }
  return inks;
}

}  // namespace srdiff
