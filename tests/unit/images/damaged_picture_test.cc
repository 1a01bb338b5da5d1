#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "images/damage.h"
#include "images/image_header.h"
#include "images/png_file.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace srdiff {
namespace {

constexpr std::int64_t side = 96;

/// So busy that most of a file is pixels.
Image busy(bool alpha = false, bool grey = false, int bit_depth = 8) {
  auto generator = at::detail::createCPUGenerator(9);
  Image image;
  image.rgb = at::rand({3, side, side}, generator).mul(255).round().div(255).mul(1.2).sub(0.6);
  image.grey = grey;
  image.bit_depth = bit_depth;
  if (grey) {
    image.rgb = image.rgb.slice(0, 0, 1).expand({3, side, side}).contiguous();
  }
  if (alpha) {
    image.alpha = at::rand({1, side, side}, generator);
  }
  return image;
}

constexpr DecodeLimits accepting = {.accept_damaged = true};

Image read_damaged(const std::string& file) {
  return decode_image(file, "in", accepting);
}

std::optional<ErrorCode> refusal_of(const std::string& file, const DecodeLimits& limits = {}) {
  try {
    decode_image(file, "in", limits);
  } catch (const InputError& error) {
    return error.code();
  }
  return std::nullopt;
}

/// The first row that a damage's text names, counted from 0.
std::int64_t first_lost_row(const Image& image) {
  const std::string before = "is damaged: rows ";
  EXPECT_EQ(image.damage.rfind(before, 0), 0U) << image.damage;
  return std::stoll(image.damage.substr(before.size())) - 1;
}

/// Rows above what is lost are those of the sound picture, and the last ones are grey.
void expect_good_above(const Image& read, const Image& sound, double tolerance) {
  const std::int64_t first = first_lost_row(read);
  EXPECT_GT(first, side / 2);
  EXPECT_LT(first, side);
  EXPECT_TRUE(
      at::allclose(read.rgb.slice(1, 0, first), sound.rgb.slice(1, 0, first), 0, tolerance));
  EXPECT_LT(read.rgb.slice(1, side - 1).abs().max().item<double>(), 0.02);
  if (sound.alpha.defined()) {
    EXPECT_TRUE(
        at::allclose(read.alpha.slice(1, 0, first), sound.alpha.slice(1, 0, first), 0, 1e-6));
    EXPECT_EQ(read.alpha.slice(1, side - 1).min().item<double>(), 1.0);
  }
}

TEST(DamagedPicture, AWholeOneIsReadAsEver) {
  for (const char* format : {".png", ".jpg", ".tiff", ".bmp", ".webp"}) {
    const std::string file = encode_image(busy(), format, "x");
    const Image read = read_damaged(file);
    EXPECT_EQ(read.damage, "");
    EXPECT_TRUE(at::equal(read.rgb, decode_image(file, "in").rgb)) << format;
  }
}

TEST(DamagedPicture, OfACutPngTheFirstRowsAreThere) {
  for (const bool alpha : {false, true}) {
    for (const bool grey : {false, true}) {
      for (const int bits : {8, 16}) {
        const std::string whole = encode_image(busy(alpha, grey, bits), ".png", "x");
        const std::string cut = whole.substr(0, whole.size() * 3 / 4);
        EXPECT_EQ(refusal_of(cut), ErrorCode::picture_damaged);
        const Image sound = decode_image(whole, "in");
        const Image read = read_damaged(cut);
        EXPECT_EQ(read.bit_depth, bits);
        EXPECT_EQ(read.grey, grey);
        EXPECT_EQ(read.alpha.defined(), alpha);
        expect_good_above(read, sound, 0.0);
      }
    }
  }
}

TEST(DamagedPicture, OfACutJpegTheFirstRowsAreThere) {
  for (const bool grey : {false, true}) {
    const std::string whole = encode_image(busy(false, grey), ".jpg", "x");
    const Image sound = decode_image(whole, "in");
    for (const std::string& cut : {whole.substr(0, whole.size() * 3 / 4),
                                   whole.substr(0, whole.size() * 3 / 4) + "\xFF\xD9"}) {
      EXPECT_EQ(refusal_of(cut), ErrorCode::picture_damaged);
      expect_good_above(read_damaged(cut), sound, 0.0);
    }
  }
}

TEST(DamagedPicture, OnlyTheEndOfAFileIsNoLoss) {
  const std::string jpeg = encode_image(busy(), ".jpg", "x");
  const Image read = read_damaged(jpeg.substr(0, jpeg.size() - 2));
  EXPECT_EQ(read.damage, "is damaged: its end is missing, but no pixel");
  EXPECT_TRUE(at::equal(read.rgb, decode_image(jpeg, "in").rgb));
  const std::string png = encode_image(busy(), ".png", "x");
  const Image read_png = read_damaged(png.substr(0, png.size() - 12));
  EXPECT_EQ(read_png.damage, "is damaged: its end is missing, but no pixel");
  EXPECT_TRUE(at::equal(read_png.rgb, decode_image(png, "in").rgb));
}

TEST(DamagedPicture, AWrongChecksumIsADoubt) {
  const std::string whole = encode_image(busy(), ".png", "x");
  std::string wrong = whole;
  const std::size_t end = whole.rfind("IEND") - 5;  // the last byte of the pixels' checksum
  wrong[end] = static_cast<char>(wrong[end] ^ 1);
  EXPECT_EQ(refusal_of(wrong), ErrorCode::picture_damaged);
  const Image read = read_damaged(wrong);
  EXPECT_EQ(read.damage, "is damaged: it is coarse, or wrong in places");
  EXPECT_TRUE(at::equal(read.rgb, decode_image(whole, "in").rgb));
}

TEST(DamagedPicture, OfATiffTheStripsThatCanBeReadAreThere) {
  Image high = busy(false, false, 16);
  high.rgb = at::cat({high.rgb, high.rgb.flip(1), high.rgb}, 1);  // three strips of 64 KiB
  const std::string whole = encode_image(high, ".tiff", "x");
  std::string wrong = whole;
  std::fill_n(wrong.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2), 400, '\xFF');
  EXPECT_EQ(refusal_of(wrong), ErrorCode::picture_damaged);
  const Image sound = decode_image(whole, "in");
  const Image read = read_damaged(wrong);
  EXPECT_EQ(read.damage, "is damaged: rows 114 to 226 of 288 are grey or wrong");
  EXPECT_TRUE(at::equal(read.rgb.slice(1, 0, 113), sound.rgb.slice(1, 0, 113)));
  EXPECT_TRUE(at::equal(read.rgb.slice(1, 226), sound.rgb.slice(1, 226)));
  EXPECT_LT(read.rgb.slice(1, 113, 226).abs().max().item<double>(), 0.02);
}

TEST(DamagedPicture, OfACutBmpTheLastRowsAreThere) {
  const std::string whole = encode_image(busy(), ".bmp", "x");
  const std::string cut = whole.substr(0, whole.size() - 10 * 3 * side - 1);
  EXPECT_EQ(refusal_of(cut), ErrorCode::picture_damaged);
  const Image read = read_damaged(cut);
  EXPECT_EQ(read.damage, "is damaged: rows 1 to 11 of 96 are grey or wrong");
  EXPECT_TRUE(at::equal(read.rgb.slice(1, 11), decode_image(whole, "in").rgb.slice(1, 11)));
  EXPECT_LT(read.rgb.slice(1, 0, 11).abs().max().item<double>(), 0.02);
}

TEST(DamagedPicture, WhatHasNotARowOrNoHeaderStaysRefused) {
  for (const char* format : {".png", ".jpg", ".bmp", ".tiff", ".webp"}) {
    const std::string whole = encode_image(busy(), format, "x");
    for (const std::size_t length : {0, 1, 9, 20, 40, 60}) {
      EXPECT_TRUE(refusal_of(whole.substr(0, length), accepting)) << format << " " << length;
    }
  }
  const std::string webp = encode_image(busy(), ".webp", "x");
  const std::string cut = webp.substr(0, webp.size() / 2);
  EXPECT_EQ(refusal_of(cut), ErrorCode::other);
  EXPECT_EQ(refusal_of(cut, accepting), ErrorCode::other);
}

TEST(DamagedPicture, NoCutPassesForWhole) {
  for (const char* format : {".png", ".jpg", ".bmp"}) {
    const std::string whole = encode_image(busy(), format, "x");
    for (std::size_t length = 100; length < whole.size(); length += 997) {
      try {
        EXPECT_NE(read_damaged(whole.substr(0, length)).damage, "") << format << " " << length;
      } catch (const InputError&) {
        EXPECT_LT(length, whole.size() / 4) << format;
      }
    }
  }
}

TEST(Damage, SaysWhichRows) {
  Damage damage;
  EXPECT_FALSE(damage.any());
  damage.add_rows(120, 200);
  damage.add_rows(180, 400);
  EXPECT_EQ(damage.text(400), "is damaged: rows 121 to 400 of 400 are grey or wrong");
  damage.add_doubt();
  EXPECT_EQ(damage.text(400),
            "is damaged: rows 121 to 400 of 400 are grey or wrong, the others coarse or wrong in "
            "places");
}

TEST(PngWithoutPixels, EndsBeforeThem) {
  const std::string png = encode_image(busy(), ".png", "x");
  const std::string head = png_without_pixels(png);
  EXPECT_EQ(head.find("IDAT"), std::string::npos);
  EXPECT_EQ(head.substr(0, 33), png.substr(0, 33));
  EXPECT_FALSE(read_image_header(head).truncated);
  EXPECT_EQ(png_without_pixels(png.substr(0, 20)).substr(0, 8), png.substr(0, 8));
}

}  // namespace
}  // namespace srdiff
