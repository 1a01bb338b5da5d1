#include "images/image_header.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "srdiff/image_io.h"

namespace srdiff {
namespace {

std::string encoded(const std::string& extension) {
  Image image;
  image.rgb = at::linspace(-1, 1, 3 * 7 * 11).reshape({3, 7, 11});
  return encode_image(image, extension, "test");
}

struct Case {
  const char* extension;
  ImageFormat format;
};

class EveryFormat : public testing::TestWithParam<Case> {};

TEST_P(EveryFormat, IsRecognisedWithItsSize) {
  const ImageHeader header = read_image_header(encoded(GetParam().extension));
  EXPECT_EQ(header.format, GetParam().format);
  EXPECT_EQ(header.width, 11);
  EXPECT_EQ(header.height, 7);
  EXPECT_FALSE(header.truncated);
}

TEST_P(EveryFormat, CanBeCutAnywhere) {
  const std::string whole = encoded(GetParam().extension);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const ImageHeader header = read_image_header(whole.substr(0, length));
    if (GetParam().format == ImageFormat::png || GetParam().format == ImageFormat::webp) {
      EXPECT_TRUE(header.truncated || header.format == ImageFormat::unknown) << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryFormat,
                         testing::Values(Case{".png", ImageFormat::png},
                                         Case{".jpg", ImageFormat::jpeg},
                                         Case{".webp", ImageFormat::webp},
                                         Case{".tiff", ImageFormat::tiff},
                                         Case{".bmp", ImageFormat::bmp}),
                         [](const auto& info) { return std::string(info.param.extension + 1); });

TEST(ImageHeader, AJpegWithoutItsEndMarkerIsTruncated) {
  std::string jpeg = encoded(".jpg");
  jpeg.resize(jpeg.size() - 2);
  EXPECT_TRUE(read_image_header(jpeg).truncated);
}

TEST(ImageHeader, AChunkLengthBeyondTheFileIsTruncation) {
  std::string png = encoded(".png");
  png[8] = '\x7f';  // IHDR's length becomes 2 GiB
  EXPECT_TRUE(read_image_header(png).truncated);
}

TEST(ImageHeader, StrayBytesBetweenAJpegsSegmentsArePassedOver) {
  std::string jpeg = encoded(".jpg");
  jpeg.insert(jpeg.find("\xff\xdb"), std::string("\0\x12", 2));
  EXPECT_EQ(read_image_header(jpeg).width, 11);
  EXPECT_NO_THROW(decode_image(jpeg, "x"));
}

TEST(ImageHeader, AJpegHasNoMoreSegmentsAndScansThanPicturesNeed) {
  const std::string jpeg = encoded(".jpg");
  const auto repeated = [&jpeg](std::size_t at, const std::string& part, int times) {
    std::string file = jpeg;
    std::string parts;
    for (int i = 0; i < times; ++i) {
      parts += part;
    }
    return read_image_header(file.insert(at, parts)).unfit;
  };
  const std::string comment("\xff\xfe\0\x02", 4);
  EXPECT_EQ(repeated(2, comment, 1000), "");
  EXPECT_NE(repeated(2, comment, 5000).find("segments"), std::string::npos);
  const std::size_t scan = jpeg.find("\xff\xda");
  const std::string scan_data = jpeg.substr(scan, jpeg.size() - 2 - scan);
  EXPECT_EQ(repeated(scan, scan_data, 20), "");
  EXPECT_NE(repeated(scan, scan_data, 200).find("201 scans"), std::string::npos);
}

TEST(ImageHeader, ATextIsNoPicture) {
  EXPECT_EQ(read_image_header("hello").format, ImageFormat::unknown);
  EXPECT_EQ(read_image_header("").format, ImageFormat::unknown);
}

}  // namespace
}  // namespace srdiff
