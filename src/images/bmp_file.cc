#include "images/bmp_file.h"

#include <algorithm>
#include <array>
#include <opencv2/core.hpp>
#include <vector>

#include "images/image_header.h"
#include "images/pixels_a_metre.h"

namespace srdiff {
namespace {

constexpr std::size_t file_header_bytes = 14;
constexpr std::size_t os2_first_header_bytes = 12;
constexpr std::size_t os2_short_header_bytes = 16;
constexpr std::size_t os2_long_header_bytes = 64;
constexpr std::size_t windows_header_bytes = 40;

/// The number of a header's field compression.
enum BmpCompression : std::uint32_t {
  compression_none = 0,
  compression_rle8 = 1,
  compression_rle4 = 2,
  compression_masks = 3,
  compression_alpha_masks = 6
};

/// Zeros below a mask's lowest bit.
int shift_of(std::uint32_t mask) {
  int shift = 0;
  while (mask != 0 && (mask >> shift & 1) == 0) {
    ++shift;
  }
  return shift;
}

/// The largest value that a mask lets through.
std::uint32_t most_of(std::uint32_t mask) {
  return mask >> shift_of(mask);
}

bool is_contiguous(std::uint32_t mask) {
  return (most_of(mask) & (most_of(mask) + 1)) == 0;
}

void read_masks(const ByteReader& bytes, std::size_t header_bytes, std::uint32_t compression,
                BmpInfo& info) {
  if (compression == compression_none) {
    info.masks = info.bits == 16 ? BmpInfo::Masks{0x7C00, 0x3E0, 0x1F, 0}
                                 : BmpInfo::Masks{0xFF0000, 0xFF00, 0xFF, 0};
    return;
  }
  constexpr std::size_t masks_offset = file_header_bytes + windows_header_bytes;
  const bool with_alpha = header_bytes >= 56 || compression == compression_alpha_masks;
  for (std::size_t i = 0; i < (with_alpha ? 4 : 3); ++i) {
    info.masks.at(i) = bytes.little(masks_offset + 4 * i, 4);
  }
  if (!std::all_of(info.masks.begin(), info.masks.end(), is_contiguous)) {
    info.unfit = "is a BMP whose colour masks have gaps; convert it to PNG first";
  }
  if (header_bytes == windows_header_bytes) {
    info.palette_offset += with_alpha ? 16 : 12;
  }
}

/// Sets the compression, or says that it is unfit.
void read_compression(const ByteReader& bytes, std::size_t header_bytes, BmpInfo& info) {
  const std::uint32_t compression =
      header_bytes > os2_short_header_bytes ? bytes.little(30, 4) : compression_none;
  const bool masked =
      compression == compression_none || compression == compression_masks ||
      (compression == compression_alpha_masks && header_bytes != os2_long_header_bytes);
  if (masked && (info.bits == 16 || info.bits == 32)) {
    return read_masks(bytes, header_bytes, compression, info);
  }
  if (compression == compression_rle8 && info.bits == 8) {
    info.compression = BmpInfo::Compression::rle8;
  } else if (compression == compression_rle4 && info.bits == 4) {
    info.compression = BmpInfo::Compression::rle4;
  } else if (compression != compression_none) {
    info.unfit = "is a BMP with compression " + std::to_string(compression) + " of " +
                 std::to_string(info.bits) +
                 " bits, which srdiff does not read; convert it to PNG "
                 "first";
  }
}

void read_size(const ByteReader& bytes, std::size_t header_bytes, BmpInfo& info) {
  if (header_bytes == os2_first_header_bytes) {
    info.width = bytes.little(18, 2);
    info.height = bytes.little(20, 2);
    info.bits = static_cast<int>(bytes.little(24, 2));
    info.palette_entry_bytes = 3;
    return;
  }
  info.width = static_cast<std::int32_t>(bytes.little(18, 4));
  const std::int64_t height = static_cast<std::int32_t>(bytes.little(22, 4));
  info.top_down = height < 0;
  info.height = info.top_down ? -height : height;
  info.bits = static_cast<int>(bytes.little(28, 2));
}

/// A palette as BGR; what it leaves out is black.
std::vector<cv::Vec3b> read_palette(const ByteReader& bytes, const BmpInfo& info) {
  std::vector<cv::Vec3b> palette(std::size_t{1} << info.bits);
  for (std::size_t i = 0; i < std::min(palette.size(), info.colours); ++i) {
    const std::size_t entry = info.palette_offset + i * info.palette_entry_bytes;
    palette[i] = {bytes.at(entry), bytes.at(entry + 1), bytes.at(entry + 2)};
  }
  return palette;
}

std::size_t row_stride(const BmpInfo& info) {
  return (static_cast<std::size_t>(info.width) * static_cast<std::size_t>(info.bits) + 31) / 32 * 4;
}

/// Palette indices of a picture without compression, from the lowest row in memory on.
cv::Mat stored_indices(const ByteReader& bytes, const BmpInfo& info) {
  cv::Mat indices(static_cast<int>(info.height), static_cast<int>(info.width), CV_8U);
  const auto bits = static_cast<std::size_t>(info.bits);
  const unsigned mask = (1U << bits) - 1;
  for (int y = 0; y < indices.rows; ++y) {
    const std::size_t row = info.pixel_offset + static_cast<std::size_t>(y) * row_stride(info);
    auto* out = indices.ptr<std::uint8_t>(y);
    for (std::size_t x = 0; x < static_cast<std::size_t>(info.width); ++x) {
      const std::size_t bit = x * bits;
      out[x] = static_cast<std::uint8_t>(bytes.at(row + bit / 8) >> (8 - bits - bit % 8) & mask);
    }
  }
  return indices;
}

/// Fills palette indices from runs. A run that crosses the end of its row is clipped there.
class RunDecoder {
 public:
  RunDecoder(const ByteReader& bytes, const BmpInfo& info)
      : bytes_(bytes),
        four_bits_(info.compression == BmpInfo::Compression::rle4),
        offset_(info.pixel_offset),
        indices_(
            cv::Mat::zeros(static_cast<int>(info.height), static_cast<int>(info.width), CV_8U)) {}

  /// Empty where the runs end before the last row and no end was marked.
  cv::Mat decode() {
    while (offset_ + 1 < bytes_.size() && y_ < indices_.rows) {
      const int count = bytes_.at(offset_);
      const int value = bytes_.at(offset_ + 1);
      offset_ += 2;
      if (count > 0) {
        for (int i = 0; i < count; ++i) {
          put(four_bits_ ? (i % 2 == 0 ? value >> 4 : value & 15) : value);
        }
      } else if (value == end_of_picture) {
        return indices_;
      } else {
        escape(value);
      }
    }
    return y_ + 1 >= indices_.rows ? indices_ : cv::Mat();
  }

 private:
  static constexpr int end_of_row = 0;
  static constexpr int end_of_picture = 1;
  static constexpr int move = 2;

  void escape(int value) {
    if (value == end_of_row) {
      x_ = 0;
      ++y_;
    } else if (value == move) {
      x_ = std::min(indices_.cols, x_ + bytes_.at(offset_));
      y_ += bytes_.at(offset_ + 1);
      offset_ += 2;
    } else {
      copy(value);
    }
  }

  /// Pixels one by one, which fill whole words of 16 bits.
  void copy(int count) {
    const int bytes = four_bits_ ? (count + 1) / 2 : count;
    for (int i = 0; i < count; ++i) {
      const std::size_t at = offset_ + static_cast<std::size_t>(four_bits_ ? i / 2 : i);
      const int byte = bytes_.at(at);
      put(four_bits_ ? (i % 2 == 0 ? byte >> 4 : byte & 15) : byte);
    }
    offset_ += static_cast<std::size_t>(bytes + bytes % 2);
  }

  void put(int index) {
    if (x_ < indices_.cols) {
      indices_.at<std::uint8_t>(y_, x_++) = static_cast<std::uint8_t>(index);
    }
  }

  const ByteReader& bytes_;
  bool four_bits_;
  std::size_t offset_;
  cv::Mat indices_;
  int x_ = 0;
  int y_ = 0;
};

cv::Mat coloured(const cv::Mat& indices, const std::vector<cv::Vec3b>& palette) {
  const bool grey = std::all_of(palette.begin(), palette.end(), [](const cv::Vec3b& colour) {
    return colour[0] == colour[1] && colour[1] == colour[2];
  });
  cv::Mat pixels(indices.size(), grey ? CV_8UC1 : CV_8UC3);
  for (int y = 0; y < indices.rows; ++y) {
    const auto* in = indices.ptr<std::uint8_t>(y);
    for (int x = 0; x < indices.cols; ++x) {
      if (grey) {
        pixels.at<std::uint8_t>(y, x) = palette[in[x]][0];
      } else {
        pixels.at<cv::Vec3b>(y, x) = palette[in[x]];
      }
    }
  }
  return pixels;
}

/// One channel of masked pixels: value → sample from 0 to `top`, rounded.
struct MaskedChannel {
  MaskedChannel(std::uint32_t mask, std::uint32_t top)
      : mask(mask),
        shift(shift_of(mask)),
        most(std::max<std::uint64_t>(1, most_of(mask))),
        top(top) {}

  std::uint32_t sample(std::uint32_t pixel) const {
    const std::uint64_t value = (pixel & mask) >> shift;
    return static_cast<std::uint32_t>((value * top * 2 + most) / (most * 2));
  }

  std::uint32_t mask;
  int shift;
  std::uint64_t most;
  std::uint32_t top;
};

template <typename Sample>
void fill_masked(const ByteReader& bytes, const BmpInfo& info, cv::Mat& pixels) {
  constexpr std::uint32_t top = static_cast<Sample>(-1);
  const std::array<MaskedChannel, 4> channels = {{{info.masks[2], top},  // blue first, as in OpenCV
                                                  {info.masks[1], top},
                                                  {info.masks[0], top},
                                                  {info.masks[3], top}}};
  const int pixel_bytes = info.bits / 8;
  for (int y = 0; y < pixels.rows; ++y) {
    std::size_t at = info.pixel_offset + static_cast<std::size_t>(y) * row_stride(info);
    auto* out = pixels.ptr<Sample>(y);
    for (int x = 0; x < pixels.cols; ++x, at += static_cast<std::size_t>(pixel_bytes)) {
      const std::uint32_t pixel = bytes.little(at, pixel_bytes);
      for (int channel = 0; channel < pixels.channels(); ++channel) {
        *out++ = static_cast<Sample>(channels[channel].sample(pixel));
      }
    }
  }
}

cv::Mat masked_pixels(const ByteReader& bytes, const BmpInfo& info) {
  const bool deep = std::any_of(info.masks.begin(), info.masks.end(),
                                [](std::uint32_t mask) { return most_of(mask) > 255; });
  const int channels = info.masks[3] == 0 ? 3 : 4;
  cv::Mat pixels(static_cast<int>(info.height), static_cast<int>(info.width),
                 CV_MAKETYPE(deep ? CV_16U : CV_8U, channels));
  deep ? fill_masked<std::uint16_t>(bytes, info, pixels)
       : fill_masked<std::uint8_t>(bytes, info, pixels);
  return pixels;
}

cv::Mat pixels_of_24_bits(const ByteReader& bytes, const BmpInfo& info) {
  cv::Mat pixels(static_cast<int>(info.height), static_cast<int>(info.width), CV_8UC3);
  for (int y = 0; y < pixels.rows; ++y) {
    const char* row =
        bytes.bytes().data() + info.pixel_offset + static_cast<std::size_t>(y) * row_stride(info);
    std::copy_n(row, pixels.cols * 3, pixels.ptr<char>(y));
  }
  return pixels;
}

}  // namespace

BmpInfo read_bmp_info(const ByteReader& bytes) {
  BmpInfo info;
  const std::size_t header_bytes = bytes.little(14, 4);
  if (header_bytes != os2_first_header_bytes &&
      (header_bytes < os2_short_header_bytes || header_bytes > 124)) {
    info.unfit = "is a BMP with a header of " + std::to_string(header_bytes) +
                 " bytes, which srdiff does not know; convert it to PNG first";
    return info;
  }
  read_size(bytes, header_bytes, info);
  info.pixel_offset = bytes.little(10, 4);
  info.palette_offset = file_header_bytes + header_bytes;
  read_compression(bytes, header_bytes, info);
  constexpr std::array<int, 7> depths = {1, 2, 4, 8, 16, 24, 32};
  if (std::find(std::begin(depths), std::end(depths), info.bits) == std::end(depths)) {
    info.unfit = "is a BMP of " + std::to_string(info.bits) +
                 " bits a pixel, which srdiff does not read; convert it to PNG first";
  }
  if (header_bytes >= windows_header_bytes) {
    info.pixels_per_metre_x = static_cast<std::int32_t>(bytes.little(38, 4));
    info.pixels_per_metre_y = static_cast<std::int32_t>(bytes.little(42, 4));
  }
  if (info.bits >= 1 && info.bits <= 8) {
    const std::size_t all = std::size_t{1} << info.bits;
    const std::size_t used = header_bytes >= windows_header_bytes ? bytes.little(46, 4) : 0;
    const std::size_t room =
        info.pixel_offset > info.palette_offset
            ? (info.pixel_offset - info.palette_offset) / info.palette_entry_bytes
            : 0;
    info.colours = std::min({used == 0 ? all : used, all, room});
  }
  return info;
}

cv::Mat read_bmp_pixels(const ByteReader& bytes, const BmpInfo& info) {
  const bool runs = info.compression != BmpInfo::Compression::none;
  if (!info.unfit.empty() || info.width < 1 || info.height < 1 ||
      info.pixel_offset > bytes.size() ||
      (!runs && (bytes.size() - info.pixel_offset) / row_stride(info) <
                    static_cast<std::size_t>(info.height))) {
    return {};
  }
  cv::Mat pixels;
  if (info.bits <= 8) {
    const cv::Mat indices = runs ? RunDecoder(bytes, info).decode() : stored_indices(bytes, info);
    pixels = indices.empty() ? cv::Mat() : coloured(indices, read_palette(bytes, info));
  } else {
    pixels = info.bits == 24 ? pixels_of_24_bits(bytes, info) : masked_pixels(bytes, info);
  }
  if (!info.top_down && !pixels.empty()) {
    cv::flip(pixels, pixels, 0);
  }
  return pixels;
}

cv::Mat read_cut_bmp(const std::string& file, const BmpInfo& info, Damage& damage) {
  if (!info.unfit.empty() || info.width < 1 || info.height < 1 ||
      info.compression != BmpInfo::Compression::none || info.pixel_offset >= file.size()) {
    return {};
  }
  const std::size_t stride = row_stride(info);
  const auto rows = static_cast<std::size_t>(info.height);
  const std::size_t there = std::min(rows, (file.size() - info.pixel_offset) / stride);
  if (there == 0) {
    return {};
  }
  std::string whole = file;
  whole.resize(info.pixel_offset + rows * stride);
  cv::Mat pixels = read_bmp_pixels(ByteReader(whole), info);
  if (there < rows && !pixels.empty()) {
    const auto missing = static_cast<int>(rows - there);
    const int first = info.top_down ? static_cast<int>(there) : 0;  // else the last rows come first
    fill_grey(pixels.rowRange(first, first + missing));
    damage.add_rows(first, first + missing);
  }
  return pixels;
}

ImageHeader read_bmp_header(const ByteReader& bytes) {
  const BmpInfo info = read_bmp_info(bytes);
  ImageHeader header{ImageFormat::bmp, info.width, info.height, bytes.size() < 26};
  header.unfit = info.unfit;
  if (info.pixels_per_metre_x > 0 && info.pixels_per_metre_y > 0) {
    header.beside.resolution = Resolution{pixels_an_inch(info.pixels_per_metre_x),
                                          pixels_an_inch(info.pixels_per_metre_y), 2};
  }
  return header;
}

}  // namespace srdiff
