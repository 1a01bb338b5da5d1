#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "images/image_format.h"
#include "images/row_encoder.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/expect.h"

namespace srdiff {
namespace {

enum class Kind { colour, grey, colour_alpha, grey_alpha };

bool has_alpha(Kind kind) {
  return kind == Kind::colour_alpha || kind == Kind::grey_alpha;
}

/// Waves with values beyond the range; the planes of a grey picture differ, as after a network.
Image picture(Kind kind, std::int64_t height, std::int64_t width, int bit_depth = 8) {
  Image image;
  image.rgb = at::arange(3 * height * width, at::kFloat).mul(0.37).sin().mul(1.1);
  image.rgb = image.rgb.reshape({3, height, width});
  if (has_alpha(kind)) {
    image.alpha = at::arange(height * width, at::kFloat).mul(0.11).cos().mul(0.6).add(0.5);
    image.alpha = image.alpha.reshape({1, height, width});
  }
  image.grey = kind == Kind::grey || kind == Kind::grey_alpha;
  image.bit_depth = bit_depth;
  return image;
}

std::string in_strips(const Image& image, const std::string& extension,
                      const std::vector<std::int64_t>& heights, const EncodeOptions& options = {}) {
  ImageEncoder encoder(layout_of(image), extension, "x", options);
  std::size_t strip = 0;
  for (std::int64_t y = 0; y < image.height(); ++strip) {
    const std::int64_t end = std::min(image.height(), y + heights[strip % heights.size()]);
    encoder.add(image.rgb.slice(1, y, end),
                image.alpha.defined() ? image.alpha.slice(1, y, end) : at::Tensor());
    y = end;
  }
  return encoder.finish();
}

std::vector<std::string> written_endings() {
  std::vector<std::string> endings;
  for (const FormatTraits& traits : image_formats()) {
    if (traits.writes) {
      endings.push_back("." + traits.words.front());
    }
  }
  return endings;
}

using Written = std::tuple<std::string, int, Kind>;

class Strips : public testing::TestWithParam<Written> {};

TEST_P(Strips, LeaveNoTraceInTheFile) {
  const auto [extension, bit_depth, kind] = GetParam();
  const Image image = picture(kind, 41, 23, bit_depth);
  const EncodeOptions options = {.made_by = "a test"};
  if (has_alpha(kind) && !traits_of(format_of_ending(extension)).alpha) {
    EXPECT_THROW(encode_image(image, extension, "x"), InputError);
    return;
  }
  const std::string at_once = encode_image(image, extension, "x", options);
  EXPECT_TRUE(at_once == in_strips(image, extension, {1}, options));
  EXPECT_TRUE(at_once == in_strips(image, extension, {3, 7, 1, 0, 16}, options));
}

INSTANTIATE_TEST_SUITE_P(All, Strips,
                         testing::Combine(testing::ValuesIn(written_endings()),
                                          testing::Values(8, 16),
                                          testing::Values(Kind::colour, Kind::grey,
                                                          Kind::colour_alpha, Kind::grey_alpha)));

TEST(ImageEncoder, APictureOfSeveralBlocksIsWhole) {
  const Image image = picture(Kind::colour_alpha, 700, 900);
  const std::string png = encode_image(image, ".png", "x");
  EXPECT_TRUE(png == in_strips(image, ".png", {333}));
  const Image back = decode_image(png, "x");
  EXPECT_LT((back.rgb - image.rgb.clamp(-1, 1)).abs().max().item<double>(), 1.001 / 255);
  EXPECT_LT((back.alpha - image.alpha.clamp(0, 1)).abs().max().item<double>(), 0.501 / 255);
}

TEST(ImageEncoder, RoundsHalfToEven) {
  Image image;
  image.rgb = at::zeros({3, 1, 2});
  image.alpha = at::tensor({0.5F / 255, 1.5F / 255}).reshape({1, 1, 2});
  const Image back = decode_image(encode_image(image, ".png", "x"), "x");
  EXPECT_NEAR(back.alpha[0][0][0].item<double>(), 0, 1e-6);
  EXPECT_NEAR(back.alpha[0][0][1].item<double>(), 2.0 / 255, 1e-6);
}

TEST(ImageEncoder, CanBeMoved) {
  const Image image = picture(Kind::colour, 6, 5);
  ImageEncoder first(layout_of(image), ".tiff", "x");
  first.add(image.rgb.slice(1, 0, 2));
  ImageEncoder second = std::move(first);
  second.add(image.rgb.slice(1, 2, 6));
  EXPECT_TRUE(second.finish() == encode_image(image, ".tiff", "x"));
}

TEST(ImageEncoder, StripsMustContinueThePicture) {
  ImageEncoder encoder({.width = 5, .height = 4}, ".png", "x");
  encoder.add(at::zeros({3, 3, 5}));
  EXPECT_THROW(encoder.add(at::zeros({3, 2, 5})), UsageError);  // a row too many
  EXPECT_THROW(encoder.add(at::zeros({3, 1, 4})), UsageError);
  EXPECT_THROW(encoder.add(at::zeros({1, 1, 5})), UsageError);
  EXPECT_THROW(encoder.add({}), UsageError);
  EXPECT_THROW(encoder.add(at::zeros({3, 1, 5}), at::zeros({1, 1, 5})), UsageError);
  EXPECT_THROW(encoder.finish(), UsageError);

  ImageEncoder with_alpha({.width = 5, .height = 4, .alpha = true}, ".png", "x");
  EXPECT_THROW(with_alpha.add(at::zeros({3, 1, 5})), UsageError);
  EXPECT_THROW(with_alpha.add(at::zeros({3, 2, 5}), at::zeros({1, 1, 5})), UsageError);
}

std::string refusal(const ImageLayout& layout, const std::string& extension) {
  EXPECT_THROW(ImageEncoder(layout, extension, "x"), InputError);
  return support::message_of<InputError>(
      [&] { check_encodable(layout, extension, "out" + extension); });
}

TEST(ImageEncoder, SizesBeyondAFormatAreRefusedBeforeAnyPixel) {
  EXPECT_EQ(refusal({.width = 16384, .height = 9}, ".webp"),
            "out.webp: would have 16384x9 pixels, and .webp holds at most 16383 a side; "
            "write .png or make it smaller");
  EXPECT_NE(refusal({.width = 9, .height = 65501}, ".jpg").find("65500 a side"), std::string::npos);
  EXPECT_NE(refusal({.width = 1'000'001, .height = 9}, ".png").find("1000000 a side"),
            std::string::npos);
  EXPECT_NE(refusal({.width = 30'000, .height = 30'000, .bit_depth = 16}, ".tiff").find("MiB"),
            std::string::npos);
  EXPECT_NE(refusal({.width = 30'000, .height = 30'000}, ".bmp").find("MiB"), std::string::npos);
  EXPECT_NE(refusal({.width = 0, .height = 9}, ".png").find("no pixels"), std::string::npos);
  EXPECT_NE(refusal({.width = 9, .height = 9}, ".gif").find("cannot be encoded as .gif"),
            std::string::npos);
  for (const char* extension : {".png", ".jpg", ".tiff", ".bmp"}) {
    EXPECT_NO_THROW(check_encodable({.width = 16'000, .height = 12'000}, extension, "out"))
        << extension;
  }
}

TEST(ImageEncoder, TheLongestSidesThatAreAllowedCanBeWritten) {
  const std::tuple<const char*, std::int64_t> longest[] = {{".webp", 16'383},
                                                           {".jpg", 65'500},
                                                           {".png", 1'000'000},
                                                           {".tiff", 1 << 20},
                                                           {".bmp", 1 << 20}};
  for (const auto& [extension, side] : longest) {
    Image image;
    image.rgb = at::zeros({3, 1, side});
    EXPECT_EQ(decode_image(encode_image(image, extension, "x"), "x").width(), side) << extension;
    image.rgb = at::zeros({3, side, 1});
    EXPECT_EQ(decode_image(encode_image(image, extension, "x"), "x").height(), side) << extension;
  }
}

TEST(ImageEncoder, WhatALibraryRefusesIsAnInputError) {
  const FileLayout too_wide = {.width = 1'000'001, .height = 1};
  for (const ImageFormat format : {ImageFormat::png, ImageFormat::jpeg}) {
    EXPECT_THROW(make_row_encoder(too_wide, format, 95, "words"), InputError);
    const auto encoder = make_row_encoder({.width = 1, .height = 1}, format, 95, "words");
    EXPECT_THROW(encoder->finish(), InputError);
  }
  EXPECT_THROW(make_row_encoder({.width = 1, .height = 1}, ImageFormat::unknown, 95, "words"),
               InputError);
}

TEST(ImageEncoder, JpegHalvesTheResolutionOfColours) {
  const std::string file = encode_image(picture(Kind::colour, 16, 16), ".jpg", "x");
  const std::size_t frame = file.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  EXPECT_EQ(file.substr(frame + 9, 3), std::string("\x03\x01\x22"));
}

TEST(ImageEncoder, TiffNamesItsFourthChannel) {
  // Tag 338, one SHORT, 2: unassociated alpha.
  const std::string tag("\x52\x01\x03\0\x01\0\0\0\x02\0", 10);
  const auto holds_tag = [&](Kind kind) {
    return encode_image(picture(kind, 4, 4), ".tiff", "x").find(tag) != std::string::npos;
  };
  EXPECT_TRUE(holds_tag(Kind::colour_alpha));
  EXPECT_TRUE(holds_tag(Kind::grey_alpha));
  EXPECT_FALSE(holds_tag(Kind::colour));
}

}  // namespace
}  // namespace srdiff
