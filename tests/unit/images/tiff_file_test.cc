// TIFFs by hand.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "images/image_header.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/expect.h"

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

TEST(TiffFile, PlanesOfSixteenBitsAreColours) {
  const at::Tensor values = tiff_ramp(3, 65535);
  const Image image = decode_image(tiff_in_planes(values, {}), "x");
  EXPECT_EQ(image.bit_depth, 16);
  EXPECT_TRUE(at::allclose(image.rgb, values / 65535 * 2 - 1, 0, 1e-6));
}

TEST(TiffFile, AFourthPlaneIsAlpha) {
  const at::Tensor values = tiff_ramp(4, 65535);
  const Image image = decode_image(tiff_in_planes(values, {{338, {2}}}), "x");
  EXPECT_TRUE(at::allclose(image.rgb, values.slice(0, 0, 3) / 65535 * 2 - 1, 0, 1e-6));
  EXPECT_TRUE(at::allclose(image.alpha, values.slice(0, 3) / 65535, 0, 1e-6));
}

TEST(TiffFile, ComesUpright) {
  const at::Tensor values = tiff_ramp(3, 65535);
  const Image turned = decode_image(tiff_in_planes(values, {{274, {6}}}), "x");
  const at::Tensor expected = values.transpose(1, 2).flip(2) / 65535 * 2 - 1;
  ASSERT_EQ(turned.rgb.sizes(), expected.sizes());
  EXPECT_TRUE(at::allclose(turned.rgb, expected, 0, 1e-6));
}

TEST(TiffFile, SixteenBitGreyMayCallWhiteZero) {
  const at::Tensor values = tiff_ramp(1, 65535);
  TiffEntries entries = tiff_entries(values, 16, 0);
  entries.merge(TiffEntries{{273, {tiff_data_offset}}, {278, {18}}, {279, {18 * 20 * 2}}});
  const Image image = decode_image(tiff_file(entries, sample_bytes(values, 2)), "x");
  EXPECT_TRUE(image.grey);
  EXPECT_TRUE(at::allclose(image.rgb[0], 1 - values[0] / 65535 * 2, 0, 1e-6));
}

TEST(TiffFile, SmallTilesAreRead) {
  for (const std::int64_t channels : {1, 3}) {
    const at::Tensor values = tiff_ramp(channels, 255);
    const Image image = decode_image(tiff_in_tiles(values, channels == 3 ? 2 : 1), "x");
    EXPECT_TRUE(at::allclose(image.rgb, (values / 255 * 2 - 1).expand({3, -1, -1}), 0, 1e-6));
  }
}

/// One strip of a row of four pixels, of samples as they are packed.
Image row_of_four(std::uint32_t bits, std::uint32_t photometric, std::uint32_t samples,
                  const std::string& data, TiffEntries more = {}) {
  TiffEntries entries = {{256, {4}},
                         {257, {1}},
                         {258, TiffNumbers(samples, bits)},
                         {262, {photometric}},
                         {273, {tiff_data_offset}},
                         {277, {samples}},
                         {278, {1}},
                         {279, {static_cast<std::uint32_t>(data.size())}}};
  entries.merge(more);
  return decode_image(tiff_file(entries, data), "x");
}

/// Levels 0…255 of a picture of one row, [channel][pixel].
at::Tensor row_levels(const Image& image) {
  return image.rgb.add(1).mul(127.5).round().to(at::kInt).squeeze(1);
}

at::Tensor grey_levels(const std::vector<int>& levels) {
  return at::tensor(at::ArrayRef<int>(levels), at::kInt).expand({3, -1});
}

TEST(TiffFile, GreyMayHaveAnyNumberOfBits) {
  EXPECT_TRUE(at::equal(row_levels(row_of_four(1, 1, 1, "\x50")), grey_levels({0, 255, 0, 255})));
  EXPECT_TRUE(at::equal(row_levels(row_of_four(2, 1, 1, "\x1b")), grey_levels({0, 85, 170, 255})));
  EXPECT_TRUE(
      at::equal(row_levels(row_of_four(4, 1, 1, "\x01\x8f")), grey_levels({0, 17, 136, 255})));
  EXPECT_TRUE(
      at::equal(row_levels(row_of_four(4, 0, 1, "\x01\x8f")), grey_levels({255, 238, 119, 0})));
  const std::string twelve("\0\0\x01\x80\x0f\xff", 6);  // 0, 1, 2048, 4095
  const Image deep = row_of_four(12, 1, 1, twelve);
  EXPECT_EQ(deep.bit_depth, 16);
  EXPECT_NEAR(deep.rgb[0][0][2].item<double>(), 2048.0 / 4095 * 2 - 1, 1e-4);
  EXPECT_EQ(deep.rgb[0][0][3].item<float>(), 1.0F);
}

TEST(TiffFile, APaletteOfOneBitHasColours) {
  const TiffNumbers palette = {0, 65535, 0, 257, 65535, 0};  // reds, greens, blues
  const Image image = row_of_four(1, 3, 1, "\x50", {{320, palette}});
  EXPECT_FALSE(image.grey);
  EXPECT_TRUE(at::equal(
      row_levels(image),
      at::tensor({0, 255, 0, 255, 0, 1, 0, 1, 255, 0, 255, 0}, at::kInt).reshape({3, 4})));
}

TEST(TiffFile, GreyMayHaveAlphaAndColoursMoreChannels) {
  const Image grey = row_of_four(8, 1, 2, "\x10\xff\x20\x80\x30\x40\x40\x01", {{338, {2}}});
  EXPECT_TRUE(grey.grey);
  EXPECT_TRUE(at::equal(row_levels(grey), grey_levels({16, 32, 48, 64})));
  ASSERT_TRUE(grey.alpha.defined());
  EXPECT_NEAR(grey.alpha[0][0][1].item<double>(), 128.0 / 255, 1e-6);
  const std::string five = "\x01\x02\x03\x09\xff";  // red, green, blue, something, alpha
  const Image colour = row_of_four(8, 2, 5, five + five + five + five, {{338, {0, 2}}});
  EXPECT_EQ(row_levels(colour)[2][3].item<int>(), 3);
  EXPECT_EQ(colour.alpha.min().item<float>(), 1.0F);
  const Image without = row_of_four(8, 1, 2, "\x10\xff\x20\x80\x30\x40\x40\x01", {{338, {0}}});
  EXPECT_FALSE(without.alpha.defined());
}

TEST(TiffFile, InksAreTakenFromWhiteWhereThereIsNoProfile) {
  const std::string inks("\0\0\0\0\xff\0\0\0\0\0\0\xff\x80\0\xff\x80", 16);
  const at::Tensor expected =
      at::tensor({255, 0, 0, 63, 255, 255, 0, 127, 255, 255, 0, 0}, at::kInt).reshape({3, 4});
  EXPECT_TRUE(at::equal(row_levels(row_of_four(8, 5, 4, inks)), expected));
}

TEST(TiffFile, LabBecomesSrgb) {
  // White, black, the middle of grey, and sRGB's red: L 54, a 81, b 70 at 5000 K.
  const std::string lab("\xff\0\0\0\0\0\x88\0\0\x8a\x51\x46", 12);
  const at::Tensor levels = row_levels(row_of_four(8, 8, 3, lab));
  EXPECT_TRUE(at::equal(levels.select(1, 0), at::full({3}, 255, at::kInt)));
  EXPECT_LT(levels.select(1, 1).max().item<int>(), 3);
  EXPECT_NEAR(levels[0][2].item<int>(), 127, 3);
  EXPECT_NEAR(levels[0][2].item<int>(), levels[2][2].item<int>(), 1);
  EXPECT_GT(levels[0][3].item<int>(), 250);
  EXPECT_LT(levels[1][3].item<int>(), 25);
}

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

TEST(TiffFile, FloatingPointReachesFromZeroToOne) {
  const TiffEntries floating = {{339, {3}}};
  const Image image = row_of_four(32, 1, 1, floats({0, 0.25F, 1, 7}), floating);
  EXPECT_EQ(image.bit_depth, 16);
  support::expect_close(image.rgb[0][0], at::tensor({-1.0F, -0.5F, 1.0F, 1.0F}), 1e-4);
  const std::string halves("\0\0\0\x34\0\x3c\0\x7e", 8);  // 0, 0.25, 1, not a number
  support::expect_close(row_of_four(16, 1, 1, halves, floating).rgb[0][0],
                        at::tensor({-1.0F, -0.5F, 1.0F, -1.0F}), 1e-4);
}

TEST(TiffFile, WhatIsNotReadIsRefusedWithItsReason) {
  const at::Tensor grey = tiff_ramp(1, 255);
  const auto has = [](const std::string& file, const char* words) {
    EXPECT_NE(unfit_reason(file).find(words), std::string::npos) << unfit_reason(file);
  };
  has(tiff_file(tiff_entries(grey, 16, 3), ""), "palette of 16 bits");
  has(tiff_file(tiff_entries(grey, 32, 0), ""), "samples of 32 bits");
  has(tiff_file(tiff_entries(tiff_ramp(3, 255), 16, 6), ""), "is YCbCr");
  has(tiff_file(tiff_entries(tiff_ramp(3, 255), 12, 8), ""), "is Lab of 12 bits");
  has(tiff_file(tiff_entries(grey, 8, 32803), ""), "photometric interpretation 32803");
}

TEST(TiffFile, APlaneBeyondTheFileIsRefused) {
  std::string file = tiff_in_planes(tiff_ramp(3, 65535), {});
  const std::size_t last_plane = file.rfind(little_endian(tiff_data_offset + 1440, 4));
  file.replace(last_plane, 4, little_endian(90000, 4));
  EXPECT_THROW(decode_image(file, "x"), InputError);
}

}  // namespace
}  // namespace srdiff
