#include "images/stored_tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <opencv2/core.hpp>
#include <vector>

#include "images/tiff_memory.h"

namespace srdiff {
namespace {

template <typename Number>
Number tiff_field(TIFF* tiff, std::uint32_t tag) {
  Number value = 0;
  ::TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

/// What libtiff decodes at a time: a tile, or a strip as wide as the picture.
cv::Size block_size(TIFF* tiff, const cv::Size& picture) {
  if (::TIFFIsTiled(tiff) != 0) {
    return {static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH)),
            static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_TILELENGTH))};
  }
  const auto rows = tiff_field<std::uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP);
  return {picture.width,
          static_cast<int>(std::min(rows, static_cast<std::uint32_t>(picture.height)))};
}

bool read_block(TIFF* tiff, const cv::Point& at, int plane, cv::Mat& block) {
  const auto x = static_cast<std::uint32_t>(at.x);
  const auto y = static_cast<std::uint32_t>(at.y);
  const auto sample = static_cast<std::uint16_t>(plane);
  const auto bytes = static_cast<tmsize_t>(block.total() * block.elemSize());
  if (::TIFFIsTiled(tiff) != 0) {
    const std::uint32_t tile = ::TIFFComputeTile(tiff, x, y, 0, sample);
    return ::TIFFTileSize(tiff) == bytes &&
           ::TIFFReadEncodedTile(tiff, tile, block.data, bytes) >= 0;
  }
  const std::uint32_t strip = ::TIFFComputeStrip(tiff, y, sample);
  return ::TIFFStripSize(tiff) == bytes &&
         ::TIFFReadEncodedStrip(tiff, strip, block.data, bytes) >= 0;
}

/// A block's channels, the first of which is the file's channel `plane`, to where OpenCV has them.
void copy_channels(const cv::Mat& block, int plane, cv::Mat pixels) {
  std::vector<int> from_to;
  for (int from = 0; from < block.channels(); ++from) {
    const int channel = plane + from;
    from_to.push_back(from);
    from_to.push_back(pixels.channels() >= 3 && channel < 3 ? 2 - channel : channel);
  }
  cv::mixChannels(&block, 1, &pixels, 1, from_to.data(), from_to.size() / 2);
}

bool read_plane(TIFF* tiff, int plane, cv::Mat& block, cv::Mat& pixels) {
  for (int y = 0; y < pixels.rows; y += block.rows) {
    for (int x = 0; x < pixels.cols; x += block.cols) {
      if (!read_block(tiff, {x, y}, plane, block)) {
        return false;
      }
      const cv::Rect inside(0, 0, std::min(block.cols, pixels.cols - x),
                            std::min(block.rows, pixels.rows - y));
      copy_channels(block(inside), plane, pixels(inside + cv::Point(x, y)));
    }
  }
  return true;
}

}  // namespace

cv::Mat read_stored_tiff(const std::string& file) {
  TiffMemory memory{file};
  const std::unique_ptr<TIFF, decltype(&::TIFFClose)> owner(memory.open("r"), ::TIFFClose);
  TIFF* const tiff = owner.get();
  if (tiff == nullptr) {
    return {};
  }
  const int depth = tiff_field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE) == 16 ? CV_16U : CV_8U;
  const int samples = tiff_field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL);
  const bool in_planes =
      tiff_field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  cv::Mat pixels(static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH)),
                 static_cast<int>(tiff_field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH)),
                 CV_MAKETYPE(depth, samples));
  cv::Mat block(block_size(tiff, pixels.size()), CV_MAKETYPE(depth, in_planes ? 1 : samples));
  for (int plane = 0; plane < (in_planes ? samples : 1); ++plane) {
    if (block.empty() || !read_plane(tiff, plane, block, pixels)) {
      return {};
    }
  }
  if (tiff_field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_MINISWHITE) {
    cv::bitwise_not(pixels, pixels);
  }
  return pixels;
}

}  // namespace srdiff
