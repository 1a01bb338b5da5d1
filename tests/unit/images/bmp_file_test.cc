#include "images/bmp_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/expect.h"

namespace srdiff {
namespace {

/// A number as BMP stores it.
std::string four_bytes(std::uint32_t value) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

/// One pixel, with a version 4 header and these masks: red, green, blue, alpha.
std::string masked_bmp(int bits, const std::array<std::uint32_t, 4>& masks,
                       std::uint32_t pixel = 0x40102030) {
  constexpr std::uint32_t info_bytes = 108;
  constexpr std::uint32_t bit_fields = 3;
  std::string bmp = "BM" + four_bytes(14 + info_bytes + 4) + four_bytes(0) +
                    four_bytes(14 + info_bytes) + four_bytes(info_bytes) + four_bytes(1) +
                    four_bytes(1) + four_bytes(1U | static_cast<std::uint32_t>(bits) << 16) +
                    four_bytes(bit_fields) + four_bytes(4) + std::string(16, '\0');
  for (const std::uint32_t mask : masks) {
    bmp += four_bytes(mask);
  }
  return bmp + std::string(14 + info_bytes - bmp.size(), '\0') + four_bytes(pixel);
}

TEST(BmpFile, HasAlphaWhereItHasAMaskForIt) {
  const Image with = decode_image(masked_bmp(32, {0xFF0000, 0xFF00, 0xFF, 0xFF000000}), "x");
  EXPECT_NEAR(with.rgb[0].item<double>(), 0x10 / 255.0 * 2 - 1, 1e-6);
  ASSERT_TRUE(with.alpha.defined());
  EXPECT_NEAR(with.alpha.item<double>(), 0x40 / 255.0, 1e-6);
  const Image without = decode_image(masked_bmp(32, {0xFF0000, 0xFF00, 0xFF, 0}), "x");
  EXPECT_NEAR(without.rgb[2].item<double>(), 0x30 / 255.0 * 2 - 1, 1e-6);
  EXPECT_FALSE(without.alpha.defined());
}

/// The levels 0…255 of the one pixel's red, green and blue.
std::vector<int> levels_of(const Image& image) {
  const at::Tensor levels = image.rgb.add(1).mul(127.5).round().to(at::kInt).reshape({3});
  return {levels[0].item<int>(), levels[1].item<int>(), levels[2].item<int>()};
}

TEST(BmpFile, MasksMayLieAnywhere) {
  const auto read = [](int bits, const std::array<std::uint32_t, 4>& masks, std::uint32_t pixel) {
    return levels_of(decode_image(masked_bmp(bits, masks, pixel), "x"));
  };
  using Levels = std::vector<int>;
  EXPECT_EQ(read(32, {0xFF000000, 0xFF0000, 0xFF00, 0}, 0x40102030), Levels({0x40, 0x10, 0x20}));
  EXPECT_EQ(read(16, {0xF00, 0xF0, 0xF, 0}, 0xF80), Levels({255, 0x88, 0}));
  EXPECT_EQ(read(16, {0xF800, 0x7E0, 0x1F, 0}, 0xFFFF), Levels({255, 255, 255}));
  EXPECT_EQ(read(16, {0xF800, 0x7E0, 0x1F, 0}, 0x8410), Levels({132, 130, 132}));
  EXPECT_EQ(decode_image(masked_bmp(32, {0x3FF00000, 0xFFC00, 0x3FF, 0}), "x").bit_depth, 16);
  EXPECT_NE(support::message_of<InputError>([&] {
              read(32, {0x505, 0xF0, 0xF000, 0}, 0);
            }).find("colour masks have gaps"),
            std::string::npos);
}

/// 8 bits with a palette of greys 0, 16, 32…
std::string run_bmp(std::uint32_t width, std::uint32_t height, const std::string& runs) {
  constexpr std::uint32_t colours = 16;
  const std::uint32_t offset = 54 + 4 * colours;
  std::string bmp = "BM" + four_bytes(offset + static_cast<std::uint32_t>(runs.size())) +
                    four_bytes(0) + four_bytes(offset) + four_bytes(40) + four_bytes(width) +
                    four_bytes(height) + four_bytes(1U | 8U << 16) + four_bytes(1) + four_bytes(0) +
                    four_bytes(0) + four_bytes(0) + four_bytes(colours) + four_bytes(0);
  for (std::uint32_t i = 0; i < colours; ++i) {
    bmp += four_bytes(i * 0x101010);
  }
  return bmp + runs;
}

at::Tensor indices_of(const std::string& bmp) {
  return decode_image(bmp, "x").rgb[0].add(1).mul(127.5).div(16).round().to(at::kInt);
}

TEST(BmpFile, RunsAreClippedAtTheEndOfTheirRow) {
  const std::string runs("\x05\x01\0\0\x02\x02\x09\x03\0\0\0\x01", 12);
  EXPECT_TRUE(at::equal(indices_of(run_bmp(3, 3, runs)),
                        at::tensor({0, 0, 0, 2, 2, 3, 1, 1, 1}, at::kInt).reshape({3, 3})));
}

TEST(BmpFile, RowsMayBePaddedPastTheWidth) {
  // Three pixels one by one and an end of row that the fourth has pushed on: a word is filled.
  const std::string runs("\x03\x01\x01\0\0\0\0\x03\x04\x05\x06\0\0\x01", 14);
  EXPECT_TRUE(at::equal(indices_of(run_bmp(3, 2, runs)),
                        at::tensor({4, 5, 6, 1, 1, 1}, at::kInt).reshape({2, 3})));
}

TEST(BmpFile, AMoveLeavesTheFirstColour) {
  const std::string runs("\0\x02\x01\x01\x01\x07\0\x01", 8);
  EXPECT_TRUE(at::equal(indices_of(run_bmp(3, 2, runs)),
                        at::tensor({0, 7, 0, 0, 0, 0}, at::kInt).reshape({2, 3})));
}

TEST(BmpFile, RunsThatEndEarlyAreDamage) {
  const auto read = [] { decode_image(run_bmp(3, 3, std::string("\x03\x01\0\0", 4)), "x"); };
  EXPECT_NE(support::message_of<InputError>(read).find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace srdiff
