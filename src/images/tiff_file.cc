#include "images/tiff_file.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <opencv2/core.hpp>
#include <string_view>
#include <vector>

#include "images/colour_conversion.h"
#include "images/tiff_memory.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

template <typename Number>
Number tiff_field(TIFF* tiff, std::uint32_t tag) {
  Number value = 0;
  ::TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

float float_of_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const float fraction = static_cast<float>(bits & 1023) / 1024.0F;
  const float magnitude = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(fraction, -14)
                                          : std::ldexp(1.0F + fraction, exponent - 15);
  return bits >> 15 == 0 ? magnitude : -magnitude;
}

/// How a sample lies in libtiff's bytes, and what number from 0 to `top` it becomes.
class SampleFormat {
 public:
  SampleFormat(TIFF* tiff, bool palette)
      : bits_(tiff_field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE)),
        floating_(tiff_field<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_IEEEFP),
        as_stored_(palette) {
    double low = 0.0;
    double high = 0.0;
    if (::TIFFGetField(tiff, TIFFTAG_SMINSAMPLEVALUE, &low) == 1 &&
        ::TIFFGetField(tiff, TIFFTAG_SMAXSAMPLEVALUE, &high) == 1 && high > low && high > 1.0) {
      low_ = low;
      high_ = high;
    }
  }

  bool deep() const { return bits_ > 8; }
  bool has_clipped() const { return clipped_; }  ///< a sample outside the range was met

  std::uint16_t number(const unsigned char* row, std::size_t index) {
    return floating_ ? floating_number(row, index) : whole_number(row, index);
  }

 private:
  std::uint16_t whole_number(const unsigned char* row, std::size_t index) const {
    if (bits_ == 8) {
      return row[index];
    }
    if (bits_ == 16) {  // in the machine's order
      std::uint16_t value = 0;
      std::memcpy(&value, row + 2 * index, sizeof(value));
      return value;
    }
    const std::size_t first = index * static_cast<std::size_t>(bits_);
    std::uint32_t value = 0;
    for (std::size_t bit = first; bit < first + static_cast<std::size_t>(bits_); ++bit) {
      value = value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1U);
    }
    const std::uint32_t most = (1U << bits_) - 1;
    const std::uint32_t top = deep() ? 65535 : 255;
    return static_cast<std::uint16_t>(as_stored_ ? value : (value * top + most / 2) / most);
  }

  std::uint16_t floating_number(const unsigned char* row, std::size_t index) {
    double value = 0.0;
    if (bits_ == 64) {
      std::memcpy(&value, row + 8 * index, sizeof(value));
    } else if (bits_ == 32) {
      float single = 0.0F;
      std::memcpy(&single, row + 4 * index, sizeof(single));
      value = single;
    } else {
      std::uint16_t half = 0;
      std::memcpy(&half, row + 2 * index, sizeof(half));
      value = float_of_half(half);
    }
    const double part = (value - low_) / (high_ - low_);
    const bool inside = part >= 0.0 && part <= 1.0;  // not a number is not
    clipped_ = clipped_ || !inside;
    return static_cast<std::uint16_t>(inside       ? std::lround(part * 65535.0)
                                      : part > 1.0 ? 65535
                                                   : 0);
  }

  int bits_;
  bool floating_;
  bool as_stored_;  ///< indices of a palette, which are not spread over the range
  double low_ = 0.0;
  double high_ = 1.0;
  bool clipped_ = false;
};

/// Reads a TIFF block by block: tile by tile, or strip by strip.
class TiffReader {
 public:
  TiffReader(TIFF* tiff, const ImageHeader& header)
      : tiff_(tiff),
        samples_(tiff_field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL)),
        in_planes_(samples_ > 1 &&
                   tiff_field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE),
        palette_(tiff_field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_PALETTE),
        format_(tiff, palette_) {
    const int colours = samples_ - header.extra_channels;
    for (int channel = 0; channel < colours; ++channel) {
      wanted_.push_back(colours == 3 ? 2 - channel : channel);  // BGR, as OpenCV has them
    }
    wanted_.resize(static_cast<std::size_t>(samples_), -1);
    if (header.alpha_channel >= 0) {
      wanted_[static_cast<std::size_t>(header.alpha_channel)] = colours;
    }
    const int channels = colours + (header.alpha_channel >= 0 ? 1 : 0);
    pixels_.create(static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH)),
                   static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH)),
                   CV_MAKETYPE(format_.deep() ? CV_16U : CV_8U, channels));
  }

  /// Blocks that cannot be read are noted where they may be `lost`.
  cv::Mat read(std::vector<cv::Rect>* lost) {
    const cv::Size block = block_size();
    if (block.width < 1 || block.height < 1) {
      return {};
    }
    bool any = false;
    for (int plane = 0; plane < (in_planes_ ? samples_ : 1); ++plane) {
      for (int y = 0; y < pixels_.rows; y += block.height) {
        for (int x = 0; x < pixels_.cols; x += block.width) {
          const cv::Rect inside(x, y, std::min(block.width, pixels_.cols - x),
                                std::min(block.height, pixels_.rows - y));
          if (read_block(inside, plane)) {
            any = true;
          } else if (lost != nullptr) {
            lost->push_back(inside);
            pixels_(inside).setTo(cv::Scalar::all(0));  // which any palette has
          } else {
            return {};
          }
        }
      }
    }
    return any ? pixels_ : cv::Mat();
  }

  bool has_clipped() const { return format_.has_clipped(); }

 private:
  /// The most bytes of an uncompressed strip or tile, lest a small file take much memory.
  static constexpr tmsize_t max_block_bytes = std::numeric_limits<std::int32_t>::max();

  cv::Size block_size() const {
    if (::TIFFIsTiled(tiff_) != 0) {
      return {static_cast<int>(tiff_field<std::uint32_t>(tiff_, TIFFTAG_TILEWIDTH)),
              static_cast<int>(tiff_field<std::uint32_t>(tiff_, TIFFTAG_TILELENGTH))};
    }
    const auto rows = tiff_field<std::uint32_t>(tiff_, TIFFTAG_ROWSPERSTRIP);
    return {pixels_.cols,
            static_cast<int>(std::min(rows, static_cast<std::uint32_t>(pixels_.rows)))};
  }

  bool read_block(const cv::Rect& inside, int plane) {
    const auto x = static_cast<std::uint32_t>(inside.x);
    const auto y = static_cast<std::uint32_t>(inside.y);
    const auto sample = static_cast<std::uint16_t>(plane);
    const bool tiled = ::TIFFIsTiled(tiff_) != 0;
    const tmsize_t row_bytes = tiled ? ::TIFFTileRowSize(tiff_) : ::TIFFScanlineSize(tiff_);
    const tmsize_t bytes = tiled ? ::TIFFTileSize(tiff_) : row_bytes * inside.height;
    if (row_bytes < least_row_bytes(inside.width) || bytes < row_bytes * inside.height ||
        bytes > max_block_bytes) {
      return false;
    }
    block_.resize(static_cast<std::size_t>(bytes));
    const tmsize_t read =
        tiled ? ::TIFFReadEncodedTile(tiff_, ::TIFFComputeTile(tiff_, x, y, 0, sample),
                                      block_.data(), bytes)
              : ::TIFFReadEncodedStrip(tiff_, ::TIFFComputeStrip(tiff_, y, sample), block_.data(),
                                       bytes);
    if (read < 0 || (!tiled && read < bytes)) {
      return false;
    }
    for (int row = 0; row < inside.height; ++row) {
      const unsigned char* in = block_.data() + row_bytes * row;
      format_.deep() ? copy_row<std::uint16_t>(in, inside, row, plane)
                     : copy_row<std::uint8_t>(in, inside, row, plane);
    }
    return true;
  }

  tmsize_t least_row_bytes(int width) const {
    const auto bits = tmsize_t{tiff_field<std::uint16_t>(tiff_, TIFFTAG_BITSPERSAMPLE)};
    return (tmsize_t{width} * bits * (in_planes_ ? 1 : samples_) + 7) / 8;
  }

  template <typename Sample>
  void copy_row(const unsigned char* in, const cv::Rect& inside, int row, int plane) {
    const std::size_t stored = in_planes_ ? 1 : static_cast<std::size_t>(samples_);
    const auto channels = static_cast<std::size_t>(pixels_.channels());
    for (std::size_t i = 0; i < stored; ++i) {
      const int to = wanted_[static_cast<std::size_t>(plane) + i];
      if (to < 0) {
        continue;
      }
      Sample* out = pixels_.ptr<Sample>(inside.y + row) +
                    static_cast<std::size_t>(inside.x) * channels + static_cast<std::size_t>(to);
      for (std::size_t x = 0; x < static_cast<std::size_t>(inside.width); ++x, out += channels) {
        *out = static_cast<Sample>(format_.number(in, x * stored + i));
      }
    }
  }

  TIFF* tiff_;
  int samples_;
  bool in_planes_;
  bool palette_;
  SampleFormat format_;
  std::vector<int> wanted_;  ///< of each channel of the file the one of the pixels, −1 for none
  cv::Mat pixels_;
  std::vector<unsigned char> block_;
};

/// Replaces indices by their colours: BGR, with alpha behind them where the indices have it. Some
/// files have palettes of 8 bits in place of 16.
cv::Mat through_palette(TIFF* tiff, const cv::Mat& indices) {
  std::array<std::uint16_t*, 3> rgb = {};
  if (::TIFFGetField(tiff, TIFFTAG_COLORMAP, &rgb[0], &rgb[1], &rgb[2]) != 1) {
    return {};
  }
  const std::size_t count = std::size_t{1}
                            << tiff_field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE);
  const bool deep = std::any_of(rgb.begin(), rgb.end(), [count](const std::uint16_t* values) {
    return std::any_of(values, values + count, [](std::uint16_t value) { return value > 255; });
  });
  const int channels = indices.channels() + 2;
  cv::Mat pixels(indices.size(), CV_8UC(channels));
  for (int y = 0; y < indices.rows; ++y) {
    const auto* in = indices.ptr<std::uint8_t>(y);
    auto* out = pixels.ptr<std::uint8_t>(y);
    for (int x = 0; x < indices.cols; ++x, in += indices.channels(), out += channels) {
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint32_t value = rgb.at(2 - c)[in[0]];
        out[c] = static_cast<std::uint8_t>(deep ? value * 255 / 65535 : value);
      }
      if (channels == 4) {
        out[3] = in[1];
      }
    }
  }
  return pixels;
}

/// Turns grey in which 0 is white into grey in which 0 is black. Alpha stays as it is.
void invert_grey(cv::Mat& pixels) {
  const cv::Scalar flips(65535, 0, 0, 0);
  cv::bitwise_xor(pixels, flips, pixels);
}

/// The file's samples as grey, colours of sRGB or inks.
cv::Mat with_usual_colours(TIFF* tiff, int photometric, cv::Mat pixels) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      invert_grey(pixels);
      return pixels;
    case PHOTOMETRIC_PALETTE:
      return through_palette(tiff, pixels);
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
      return lab_to_bgr(pixels, photometric == PHOTOMETRIC_CIELAB);
    default:
      return pixels;
  }
}

}  // namespace

cv::Mat read_tiff_pixels(const std::string& file, const ImageHeader& header,
                         const std::string& name, Damage* damage) {
  TiffMemory<std::string_view> memory{file};
  const std::unique_ptr<TIFF, decltype(&::TIFFClose)> owner(memory.open("r"), ::TIFFClose);
  TIFF* const tiff = owner.get();
  if (tiff == nullptr) {
    return {};
  }
  const int photometric = tiff_field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC);
  if (photometric == PHOTOMETRIC_YCBCR) {  // of a JPEG, which libjpeg turns into RGB
    ::TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  TiffReader reader(tiff, header);
  std::vector<cv::Rect> lost;
  cv::Mat pixels = reader.read(damage == nullptr ? nullptr : &lost);
  if (pixels.empty()) {
    return {};
  }
  if (reader.has_clipped()) {
    log::warn("{}: has values outside its nominal range, which are clipped to it", name);
  }
  pixels = with_usual_colours(tiff, photometric, pixels);
  for (const cv::Rect& block : lost) {
    if (!pixels.empty()) {
      fill_grey(pixels(block), header.cmyk);
    }
    damage->add_rows(block.y, block.y + block.height);
  }
  return pixels;
}

Metadata read_tiff_blocks(const std::string& file, const std::string& name) {
  TiffMemory<std::string_view> memory{file};
  const std::unique_ptr<TIFF, decltype(&::TIFFClose)> owner(memory.open("r"), ::TIFFClose);
  TIFF* const tiff = owner.get();
  Metadata blocks;
  if (tiff == nullptr) {
    return blocks;
  }
  const auto block = [tiff](std::uint32_t tag) {
    std::uint32_t size = 0;
    const char* data = nullptr;
    return ::TIFFGetField(tiff, tag, &size, &data) == 1 ? std::string(data, size) : std::string();
  };
  blocks.icc = block(TIFFTAG_ICCPROFILE);
  blocks.xmp = block(TIFFTAG_XMLPACKET);
  Resolution resolution;
  if (::TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &resolution.x) == 1 &&
      ::TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &resolution.y) == 1 && resolution.x > 0 &&
      resolution.y > 0) {
    resolution.unit = tiff_field<std::uint16_t>(tiff, TIFFTAG_RESOLUTIONUNIT);
    blocks.resolution = resolution;
  }
  toff_t directory = 0;
  const bool exif = ::TIFFGetField(tiff, TIFFTAG_EXIFIFD, &directory) == 1;
  if (exif || !block(TIFFTAG_RICHTIFFIPTC).empty()) {
    log::warn("{}: is a BigTIFF, whose EXIF and IPTC are left out", name);
  }
  return blocks;
}

}  // namespace srdiff
