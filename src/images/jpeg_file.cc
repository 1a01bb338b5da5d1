#include "images/jpeg_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>  // before jpeglib.h, which wants FILE
#include <opencv2/core.hpp>
#include <utility>
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

/// What libjpeg says while it goes on.
struct Complaints {
  bool end_missing = false;
  int first_row = -1;  ///< of blocks, in the first scan; −1: none was damaged there
  int last_row = -1;
};

void note_complaint(j_common_ptr common, int level) {
  const int warning = common->err->msg_code;
  if (level >= 0 || !costs_pixels(warning)) {
    return;
  }
  auto& complaints = *static_cast<Complaints*>(common->client_data);
  const auto& info = *reinterpret_cast<jpeg_decompress_struct*>(common);
  if (warning == JWRN_JPEG_EOF) {
    complaints.end_missing = true;
    if (info.arith_code == FALSE) {
      return;  // blocks that lack codes complain by themselves
    }
  }
  if (info.input_scan_number <= 1) {
    const auto row = static_cast<int>(info.input_iMCU_row);
    complaints.first_row = complaints.first_row < 0 ? row : std::min(complaints.first_row, row);
    complaints.last_row = std::max(complaints.last_row, row);
  }
}

/// Where rows are missing or wrong, of a picture that was decoded up to row `decoded`.
cv::Range lost_rows(const jpeg_decompress_struct& info, const Complaints& complaints, int decoded) {
  const auto height = static_cast<int>(info.output_height);
  if (complaints.first_row < 0) {
    return {decoded, height};
  }
  const int block_rows = info.max_v_samp_factor * DCTSIZE;
  // Colours at half the size reach a row further when they are enlarged.
  const int reach = info.max_v_samp_factor > 1 ? 1 : 0;
  const int first = std::max(0, complaints.first_row * block_rows - reach);
  // Decoding finds its way back at a restart marker, and only there.
  const bool to_the_end = info.restart_interval == 0 || complaints.end_missing || decoded < height;
  const auto rows_to_restart = static_cast<int>(info.restart_interval / info.MCUs_per_row) + 2;
  const int last =
      to_the_end ? height : std::min(height, (complaints.last_row + rows_to_restart) * block_rows);
  return {std::min(first, decoded), last};
}

J_COLOR_SPACE colours_of(const jpeg_decompress_struct& info) {
  return info.num_components == 1 ? JCS_GRAYSCALE : info.num_components == 4 ? JCS_CMYK : JCS_RGB;
}

/// Adobe's programs store inks inverted; OpenCV has blue first.
void to_usual_order(const jpeg_decompress_struct& info, cv::Mat& pixels) {
  if (info.out_color_space == JCS_CMYK && info.saw_Adobe_marker != FALSE) {
    cv::bitwise_not(pixels, pixels);
  }
  for (int y = 0; info.out_color_space == JCS_RGB && y < pixels.rows; ++y) {
    for (int x = 0; x < pixels.cols; ++x) {
      auto& pixel = pixels.at<cv::Vec3b>(y, x);
      std::swap(pixel[0], pixel[2]);
    }
  }
}

/// Decodes into `pixels`, of which what cannot be reached stays grey.
void read_rows(jpeg_decompress_struct& info, cv::Mat& pixels) {
  info.out_color_space = colours_of(info);
  ::jpeg_start_decompress(&info);
  pixels = cv::Mat(static_cast<int>(info.output_height), static_cast<int>(info.output_width),
                   CV_8UC(info.output_components), cv::Scalar::all(128));
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels.ptr(static_cast<int>(info.output_scanline));
    ::jpeg_read_scanlines(&info, &row, 1);
  }
  ::jpeg_finish_decompress(&info);
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
    read_rows(info, inks);
  } catch (const DamagedJpeg&) {
    return {};
  } catch (const UndecodableJpeg&) {
    return {};
  }
  to_usual_order(info, inks);
  return inks;
}

cv::Mat read_damaged_jpeg(const std::string& file, Damage& damage) {
  JpegReader reader;
  jpeg_decompress_struct& info = reader.info;
  Complaints complaints;
  info.client_data = &complaints;
  reader.errors.emit_message = note_complaint;
  cv::Mat pixels;
  bool several_scans = false;
  try {
    begin(info, file);
    several_scans = ::jpeg_has_multiple_scans(&info) != FALSE;
    read_rows(info, pixels);
  } catch (const UndecodableJpeg&) {
    if (pixels.empty()) {
      return {};
    }
  }
  const cv::Range lost = lost_rows(info, complaints, static_cast<int>(info.output_scanline));
  if (lost.size() == pixels.rows) {
    return {};
  }
  if (!lost.empty()) {
    damage.add_rows(lost.start, lost.end);
  }
  if (several_scans) {
    damage.add_doubt();  // of the scans that follow the first nobody knows what they would add
  } else if (complaints.end_missing) {
    damage.add_harmless();
  }
  to_usual_order(info, pixels);
  return pixels;
}

}  // namespace srdiff
