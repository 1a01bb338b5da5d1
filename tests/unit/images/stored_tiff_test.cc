// TIFFs by hand, of the kinds that OpenCV misreads.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "images/image_header.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace srdiff {
namespace {

using TiffNumbers = std::vector<std::uint32_t>;
using TiffEntries = std::map<std::uint32_t, TiffNumbers>;

constexpr std::uint32_t tiff_data_offset = 8;

std::string little_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) {
    text += static_cast<char>(value & 0xFF);
  }
  return text;
}

/// Little-endian, its values all LONG, its data from tiff_data_offset on.
std::string tiff_file(const TiffEntries& entries, const std::string& data) {
  const auto directory_offset = static_cast<std::uint32_t>(tiff_data_offset + data.size());
  std::string directory = little_endian(static_cast<std::uint32_t>(entries.size()), 2);
  const std::size_t extra_offset = directory_offset + 2 + 12 * entries.size() + 4;
  std::string extra;
  for (const auto& [tag, values] : entries) {
    directory += little_endian(tag, 2) + little_endian(4, 2) +
                 little_endian(static_cast<std::uint32_t>(values.size()), 4);
    const bool inside = values.size() == 1;
    directory += inside ? little_endian(values[0], 4)
                        : little_endian(static_cast<std::uint32_t>(extra_offset + extra.size()), 4);
    for (std::size_t i = 0; i < values.size() && !inside; ++i) {
      extra += little_endian(values[i], 4);
    }
  }
  return std::string("II*\0", 4) + little_endian(directory_offset, 4) + data + directory +
         little_endian(0, 4) + extra;
}

/// Of [C,H,W] values, in that order.
std::string sample_bytes(const at::Tensor& values, int bytes) {
  const at::Tensor whole = values.to(at::kInt).contiguous();
  std::string data;
  for (std::int64_t i = 0; i < whole.numel(); ++i) {
    data += little_endian(static_cast<std::uint32_t>(whole.data_ptr<int>()[i]), bytes);
  }
  return data;
}

at::Tensor tiff_ramp(std::int64_t channels, double top) {
  return at::linspace(0, top, channels * 18 * 20).round().reshape({channels, 18, 20});
}

TiffEntries tiff_entries(const at::Tensor& chw, std::uint32_t bits, std::uint32_t photometric) {
  const auto channels = static_cast<std::uint32_t>(chw.size(0));
  return {{256, {20}}, {257, {18}},          {258, TiffNumbers(channels, bits)},
          {259, {1}},  {262, {photometric}}, {277, {channels}}};
}

/// In planes of a strip each.
std::string tiff_in_planes(const at::Tensor& chw, TiffEntries more) {
  TiffEntries entries = tiff_entries(chw, 16, 2);
  entries.merge(more);
  const auto channels = static_cast<std::uint32_t>(chw.size(0));
  constexpr std::uint32_t plane_bytes = 18 * 20 * 2;
  entries[278] = {18};
  entries[279] = TiffNumbers(channels, plane_bytes);
  for (std::uint32_t plane = 0; plane < channels; ++plane) {
    entries[273].push_back(tiff_data_offset + plane * plane_bytes);
  }
  entries[284] = {2};
  return tiff_file(entries, sample_bytes(chw, 2));
}

/// In 2x2 tiles of 16x16, 8 bits each.
std::string tiff_in_tiles(const at::Tensor& chw, std::uint32_t photometric) {
  TiffEntries entries = tiff_entries(chw, 8, photometric);
  const auto tile_bytes = static_cast<std::uint32_t>(256 * chw.size(0));
  entries[322] = entries[323] = {16};
  entries[324] = {tiff_data_offset, tiff_data_offset + tile_bytes,
                  tiff_data_offset + 2 * tile_bytes, tiff_data_offset + 3 * tile_bytes};
  entries[325] = TiffNumbers(4, tile_bytes);
  const at::Tensor padded = at::constant_pad_nd(chw, {0, 12, 0, 14});
  const at::Tensor tiles = padded.reshape({chw.size(0), 2, 16, 2, 16}).permute({1, 3, 2, 4, 0});
  return tiff_file(entries, sample_bytes(tiles, 1));
}

std::string unfit_reason(const std::string& file) {
  return read_image_header(file).unfit;
}

TEST(StoredTiff, PlanesOfSixteenBitsAreColours) {
  const at::Tensor values = tiff_ramp(3, 65535);
  const Image image = decode_image(tiff_in_planes(values, {}), "x");
  EXPECT_EQ(image.bit_depth, 16);
  EXPECT_TRUE(at::allclose(image.rgb, values / 65535 * 2 - 1, 0, 1e-6));
}

TEST(StoredTiff, AFourthPlaneIsAlpha) {
  const at::Tensor values = tiff_ramp(4, 65535);
  const Image image = decode_image(tiff_in_planes(values, {{338, {2}}}), "x");
  EXPECT_TRUE(at::allclose(image.rgb, values.slice(0, 0, 3) / 65535 * 2 - 1, 0, 1e-6));
  EXPECT_TRUE(at::allclose(image.alpha, values.slice(0, 3) / 65535, 0, 1e-6));
}

TEST(StoredTiff, ComesUpright) {
  const at::Tensor values = tiff_ramp(3, 65535);
  const Image turned = decode_image(tiff_in_planes(values, {{274, {6}}}), "x");
  const at::Tensor expected = values.transpose(1, 2).flip(2) / 65535 * 2 - 1;
  ASSERT_EQ(turned.rgb.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(turned.rgb, expected, 0, 1e-6));
}

TEST(StoredTiff, SixteenBitGreyMayCallWhiteZero) {
  const at::Tensor values = tiff_ramp(1, 65535);
  TiffEntries entries = tiff_entries(values, 16, 0);
  entries.merge(TiffEntries{{273, {tiff_data_offset}}, {278, {18}}, {279, {18 * 20 * 2}}});
  const Image image = decode_image(tiff_file(entries, sample_bytes(values, 2)), "x");
  EXPECT_TRUE(image.grey);
  EXPECT_TRUE(at::allclose(image.rgb[0], 1 - values[0] / 65535 * 2, 0, 1e-6));
}

TEST(StoredTiff, SmallTilesAreRead) {
  for (const std::int64_t channels : {1, 3}) {
    const at::Tensor values = tiff_ramp(channels, 255);
    const Image image = decode_image(tiff_in_tiles(values, channels == 3 ? 2 : 1), "x");
    EXPECT_TRUE(at::allclose(image.rgb, (values / 255 * 2 - 1).expand({3, -1, -1}), 0, 1e-6));
  }
}

TEST(StoredTiff, WhatIsNotReadIsRefusedWithItsReason) {
  const at::Tensor grey = tiff_ramp(1, 255);
  EXPECT_NE(unfit_reason(tiff_file(tiff_entries(grey, 16, 3), "")).find("palette of 16 bits"),
            std::string::npos);
  EXPECT_NE(unfit_reason(tiff_file(tiff_entries(grey, 12, 0), "")).find("has 12 bits"),
            std::string::npos);
  EXPECT_NE(unfit_reason(tiff_file(tiff_entries(tiff_ramp(3, 255), 16, 6), "")).find("is YCbCr"),
            std::string::npos);
  EXPECT_NE(unfit_reason(tiff_in_tiles(grey, 3)).find("uncompressed tiles"), std::string::npos);
}

TEST(StoredTiff, APlaneBeyondTheFileIsRefused) {
  std::string file = tiff_in_planes(tiff_ramp(3, 65535), {});
  const std::size_t last_plane = file.rfind(little_endian(tiff_data_offset + 1440, 4));
  file.replace(last_plane, 4, little_endian(90000, 4));
  EXPECT_THROW(decode_image(file, "x"), InputError);
}

}  // namespace
}  // namespace srdiff
