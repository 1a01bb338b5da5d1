#include "images/jpeg_scan.h"

#include <cstddef>
#include <cstdio>  // before jpeglib.h, which wants FILE
#include <vector>

#include <jpeglib.h>

#include <jerror.h>  // after jpeglib.h, whose types it wants

namespace srdiff {
namespace {

struct DamagedJpeg {};
struct UndecodableJpeg {};

/// The other warnings cost no pixel: many cameras write bytes between segments.
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

/// At an eighth of the size and without a conversion: each code is read, little is computed.
void read_scans(jpeg_decompress_struct& info, const std::string& file) {
  ::jpeg_CreateDecompress(&info, JPEG_LIB_VERSION, sizeof(info));
  ::jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  ::jpeg_read_header(&info, TRUE);
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

}  // namespace srdiff
