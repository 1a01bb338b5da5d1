#include "images/optional_formats.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lcms2.h>

#include <array>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "images/code_points.h"
#include "images/colour_conversion.h"
#include "images/hevc_size.h"
#include "images/image_format.h"
#include "images/iso_media.h"
#include "images/metadata.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/expect.h"
#include "support/icc_profile.h"

namespace srdiff {
namespace {

using namespace std::string_literals;

/// Smooth, with another direction in each channel, so that a swap or a turn shows.
Image smooth(std::int64_t height, std::int64_t width, int bit_depth) {
  Image image;
  const at::Tensor x = at::linspace(-0.9, 0.9, width).expand({height, width});
  const at::Tensor y = at::linspace(-0.9, 0.9, height).unsqueeze(1).expand({height, width});
  image.rgb = at::stack({x, y, -x * 0.5});
  image.bit_depth = bit_depth;
  return image;
}

at::Tensor smooth_alpha(std::int64_t height, std::int64_t width) {
  return at::linspace(0, 1, height * width).reshape({1, height, width});
}

/// In the formats that are both read and written, each with the library that serves it.
class OptionalFormat : public testing::TestWithParam<ImageFormat> {
 protected:
  void SetUp() override {
    if (!has_library(GetParam())) {
      GTEST_SKIP() << built_without(GetParam());
    }
  }
  std::string ending() const { return "." + traits_of(GetParam()).words.front(); }
  Image back(const Image& image, const EncodeOptions& options = {}) const {
    return decode_image(encode_image(image, ending(), "x" + ending(), options), "x" + ending());
  }
};

INSTANTIATE_TEST_SUITE_P(Written, OptionalFormat,
                         testing::Values(ImageFormat::jxl, ImageFormat::avif),
                         [](const auto& info) { return traits_of(info.param).words.front(); });

TEST_P(OptionalFormat, KeepsColoursAndBits) {
  for (const int bit_depth : {8, 16}) {
    const Image image = smooth(24, 40, bit_depth);
    const Image found = back(image);
    EXPECT_EQ(found.bit_depth, bit_depth);
    EXPECT_FALSE(found.grey);
    EXPECT_FALSE(found.alpha.defined());
    EXPECT_FALSE(found.metadata);
    support::expect_close(found.rgb, image.rgb, 0.3);
    EXPECT_LT((found.rgb - image.rgb).abs().mean().item<double>(), 0.03);
  }
}

TEST_P(OptionalFormat, KeepsGreyAndAlpha) {
  for (const bool grey : {false, true}) {
    for (const int bit_depth : {8, 16}) {
      Image image = smooth(17, 21, bit_depth);
      image.grey = grey;
      image.rgb = grey ? image.rgb.slice(0, 0, 1).expand({3, -1, -1}) : image.rgb;
      image.alpha = smooth_alpha(17, 21);
      const Image found = back(image, {.quality = 100});
      EXPECT_EQ(found.grey, grey);
      EXPECT_EQ(found.bit_depth, bit_depth);
      support::expect_close(found.rgb, image.rgb, 0.03);  // lossless, or almost
      // Alpha is lossless, of the twelve bits that AVIF has at most.
      support::expect_close(found.alpha, image.alpha, bit_depth == 8 ? 0.51 / 255 : 0.55 / 4095);
      image.alpha = at::Tensor();
      EXPECT_EQ(back(image).grey, grey);
    }
  }
}

TEST_P(OptionalFormat, AnyQualityIsTaken) {
  const Image image = smooth(40, 40, 8);
  for (const int quality : {1, 20, 60, 95, 100}) {
    const std::string file = encode_image(image, ending(), "x", {.quality = quality});
    EXPECT_EQ(file, encode_image(image, ending(), "x", {.quality = quality}));
    EXPECT_EQ(decode_image(file, "x").width(), 40);
  }
}

TEST_P(OptionalFormat, CodePointsOfColourComeThrough) {
  for (const auto& [primaries, transfer] : {std::pair{12, 13}, {9, 16}, {1, 8}}) {
    Image image = smooth(16, 16, 8);
    Metadata metadata;
    metadata.cicp = code_points(static_cast<unsigned>(primaries), static_cast<unsigned>(transfer));
    image.metadata = std::make_shared<const Metadata>(metadata);
    const Image found = back(image);
    ASSERT_TRUE(found.metadata);
    EXPECT_EQ(found.metadata->cicp, metadata.cicp);
    EXPECT_EQ(found.metadata->icc, "");
    EXPECT_LT((found.rgb - image.rgb).abs().mean().item<double>(), 0.1) << transfer;
  }
}

TEST_P(OptionalFormat, IsKnownByItsHeaderAlone) {
  const Image image = smooth(24, 40, 8);
  const std::string file = encode_image(image, ending(), "x");
  const ImageHeader header = read_image_header(file);
  EXPECT_EQ(header.format, GetParam());
  EXPECT_EQ(header.width, 40);
  EXPECT_EQ(header.height, 24);
  EXPECT_EQ(support::message_of<InputError>(
                [&] { decode_image(file, "x", {.max_pixels = 24 * 40 - 1}); }),
            "x: declares 40x24 pixels, more than the 959 allowed; crop or reduce it first");
}

TEST_P(OptionalFormat, ACutFileIsRefusedInOneLine) {
  const std::string whole =
      encode_image(smooth(24, 40, 8), ending(), "x", {.made_by = "a history"});
  for (std::size_t length = 1; length < whole.size(); length += 3) {
    const std::string message =
        support::message_of<InputError>([&] { decode_image(whole.substr(0, length), "x"); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST_P(OptionalFormat, SaysThatSrdiffMadeIt) {
  const Image image = smooth(9, 9, 8);
  EXPECT_TRUE(is_made_by_srdiff(encode_image(image, ending(), "x", {.made_by = "a model"})));
  EXPECT_FALSE(is_made_by_srdiff(encode_image(image, ending(), "x")));
}

TEST_P(OptionalFormat, WhatTheEncoderLacksIsAnInputError) {
  const FileLayout layout = {.width = 4, .height = 4};
  const auto encoder = make_row_encoder(layout, GetParam(), 90, "words");
  EXPECT_EQ(support::message_of<InputError>([&] { encoder->finish(); }), "words");
}

std::string wide_profile() {
  const cmsCIExyY white = {0.3127, 0.3290, 1.0};
  const cmsCIExyYTRIPLE primaries = {{0.68, 0.32, 1.0}, {0.265, 0.69, 1.0}, {0.15, 0.06, 1.0}};
  cmsToneCurve* curve = ::cmsBuildGamma(nullptr, 1.8);
  const std::array<cmsToneCurve*, 3> curves = {curve, curve, curve};
  cmsHPROFILE profile = ::cmsCreateRGBProfile(&white, &primaries, curves.data());
  ::cmsFreeToneCurve(curve);
  return support::icc_of(profile);
}

// A lossy JPEG XL is not stored in the profile's colours: they are converted there and back.
TEST_P(OptionalFormat, ColoursOfAProfileKeepTheirValues) {
  Image image = smooth(40, 40, 8);
  image.rgb[1] = 0.9;  // a green that sRGB does not have
  Metadata metadata;
  metadata.icc = wide_profile();
  image.metadata = std::make_shared<const Metadata>(metadata);
  for (const int quality : {95, 100}) {
    for (const int bit_depth : {8, 16}) {
      image.bit_depth = bit_depth;
      const Image found = back(image, {.quality = quality});
      ASSERT_TRUE(found.metadata);
      EXPECT_EQ(found.metadata->icc, metadata.icc);
      EXPECT_EQ(found.bit_depth, bit_depth);
      EXPECT_LT((found.rgb - image.rgb).abs().mean().item<double>(), 0.02) << quality;
    }
  }
}

TEST(JpegXl, IsLosslessAtQuality100) {
  if (!has_library(ImageFormat::jxl)) {
    GTEST_SKIP() << built_without(ImageFormat::jxl);
  }
  for (const int bit_depth : {8, 16}) {
    const Image image = smooth(33, 70, bit_depth);
    const Image found = decode_image(encode_image(image, ".jxl", "x", {.quality = 100}), "x");
    const Image png = decode_image(encode_image(image, ".png", "x"), "x");
    EXPECT_TRUE(at::equal(found.rgb, png.rgb)) << bit_depth;
  }
}

TEST(CodePoints, OfSrgbAreNone) {
  EXPECT_EQ(code_points(1, 13), "");
  EXPECT_EQ(code_points(2, 2), "");
  EXPECT_EQ(code_points(1, 2), "");
  EXPECT_EQ(code_points(12, 13), "\x0c\x0d\0\x01"s);
  EXPECT_EQ(code_points(9, 300), "");
  EXPECT_TRUE(are_srgb(""));
  EXPECT_TRUE(are_srgb("\x01\x0d\0\x01"s));
  EXPECT_FALSE(are_srgb("\x0c\x0d\0\x01"s));
}

TEST(IsoMedia, BrandsNameTheFormat) {
  const auto format = [](const std::string& text) { return format_of_brands(ByteReader(text)); };
  EXPECT_EQ(format("\0\0\0\x18"
                   "ftypavif\0\0\0\0mif1miaf"s),
            ImageFormat::avif);
  EXPECT_EQ(format("\0\0\0\x18"
                   "ftypmif1\0\0\0\0mif1avif"s),
            ImageFormat::avif);
  EXPECT_EQ(format("\0\0\0\x18"
                   "ftypheic\0\0\0\0mif1heic"s),
            ImageFormat::heic);
  EXPECT_EQ(format("\0\0\0\x14"
                   "ftypmp42\0\0\0\0mp42"s),
            ImageFormat::unknown);
  EXPECT_EQ(format("\0\0\0\x18"
                   "ftyp"s),
            ImageFormat::unknown);
  EXPECT_EQ(format("ftyp"s), ImageFormat::unknown);
}

TEST(IsoMedia, ABoxBeyondTheEndIsACut) {
  const auto cut = [](const std::string& text) { return has_cut_box(ByteReader(text)); };
  const std::string head =
      "\0\0\0\x10"
      "ftypavif\0\0\0\0"s;
  EXPECT_FALSE(cut(head));
  EXPECT_FALSE(cut(head + "\0\0\0\x0a"
                          "mdatxx"s));
  EXPECT_TRUE(cut(head + "\0\0\0\x0b"
                         "mdatxx"s));
  EXPECT_FALSE(cut(head + "\0\0\0\0"
                          "mdatxx"s));  // to the end
  EXPECT_FALSE(cut(head + "\0\0\0\x01"
                          "mdat\0\0\0\0\0\0\0\x12xx"s));  // 64 bits
  EXPECT_TRUE(cut(head + "\0\0\0\x01"
                         "mdat\xff\0\0\0\0\0\0\x12xx"s));
  EXPECT_TRUE(cut(head + "\0\0\0\x02"
                         "mdatxx"s));
  EXPECT_FALSE(cut(head + "anything else that follows"));
}

// A frame of 64×64 in 4:2:0, as x265 writes it into the box hvcC and as a stream may hold it.
TEST(HevcSize, IsFoundInBoxesAndStreams) {
  const std::string unit(
      "\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x20\x81\x05\x96\x56", 24);
  const auto size_behind = [&unit](std::string text) {
    text.append(unit);
    return largest_hevc_frame(ByteReader(text));
  };
  const ItemSize in_box = size_behind("hvcC....\xa1\0\x01\0\x18"s);
  EXPECT_EQ(in_box.width, 64);
  EXPECT_EQ(in_box.height, 64);
  EXPECT_EQ(size_behind("mdat\0\0\0\x18"s).width, 64);
  EXPECT_EQ(size_behind("mdat....").width, -1);
  EXPECT_EQ(largest_hevc_frame(ByteReader("")).width, -1);
}

TEST(IsoMedia, ExifBeginsAtItsByteOrder) {
  const std::string tiff = "II*\0\x08\0\0\0"s;
  for (const std::string& prefix : {""s, "\0\0\0\0"s,
                                    "\0\0\0\x06"
                                    "Exif\0\0"s}) {
    EXPECT_EQ(exif_without_prefix(prefix + tiff), tiff);
  }
  EXPECT_EQ(exif_without_prefix(""), "");
  EXPECT_EQ(exif_without_prefix("no EXIF"), "no EXIF");
}

TEST(OptionalFormats, ThoseThatABuildLacksSaySo) {
  for (const ImageFormat format : {ImageFormat::jxl, ImageFormat::avif, ImageFormat::heic}) {
    EXPECT_NE(built_without(format).find("is built without lib"), std::string::npos);
    EXPECT_EQ(has_library(format) && format != ImageFormat::heic, traits_of(format).writes);
  }
  EXPECT_EQ(optional_libraries().size(), 3U);
  EXPECT_NE(why_not_written(".heic"), "");
  EXPECT_EQ(why_not_written(".gif"), "its ending names no format that srdiff writes");
  EXPECT_THROW(check_writable_format("a.heic"), UsageError);
  EXPECT_THROW(encode_image(smooth(4, 4, 8), ".heic", "x"), InputError);
}

TEST(BetweenProfiles, ThereAndBackIsTheSame) {
  const std::string srgb = support::icc_of(::cmsCreate_sRGBProfile());
  cv::Mat pixels(5, 7, CV_16UC4);
  for (int i = 0; i < 5 * 7 * 4; ++i) {
    pixels.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(15000 + i * 257);
  }
  const cv::Mat wide = between_profiles(pixels, srgb, wide_profile(), true);
  ASSERT_FALSE(wide.empty());
  EXPECT_GT(cv::norm(wide, pixels, cv::NORM_INF), 1000);
  const cv::Mat same = between_profiles(wide, wide_profile(), srgb, true);
  EXPECT_LT(cv::norm(same, pixels, cv::NORM_INF), 200);
  EXPECT_EQ(between_profiles(pixels, srgb, srgb, false).depth(), CV_8U);
  EXPECT_TRUE(between_profiles(pixels, "no profile", srgb, true).empty());
  EXPECT_TRUE(is_usable_profile(srgb));
  EXPECT_FALSE(is_usable_profile("no profile"));
}

}  // namespace
}  // namespace srdiff
