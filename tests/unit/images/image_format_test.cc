#include "images/image_format.h"

#include <gtest/gtest.h>

#include "images/optional_formats.h"

namespace srdiff {
namespace {

TEST(ImageFormat, EachEndingHasOneFormat) {
  for (const FormatTraits& traits : image_formats()) {
    for (const std::string& word : traits.words) {
      EXPECT_EQ(format_of_ending("." + word), traits.format) << word;
      EXPECT_TRUE(is_picture_name("a." + word)) << word;
      EXPECT_EQ(is_format_word(word), traits.writes) << word;
      EXPECT_EQ(why_not_written("." + word).empty(), traits.writes) << word;
      EXPECT_FALSE(is_format_word("." + word)) << word;
    }
  }
  EXPECT_EQ(format_of_ending(""), ImageFormat::unknown);
  EXPECT_EQ(format_of_ending("png"), ImageFormat::unknown);
  EXPECT_EQ(format_of_ending("."), ImageFormat::unknown);
  EXPECT_EQ(format_of_ending(".gif"), ImageFormat::unknown);
}

TEST(ImageFormat, CamerasAndBrowsersEndingsOfJpegAreTaken) {
  for (const char* name : {"a.jfif", "B.JPE", "c.jpeg", "d.JPG"}) {
    EXPECT_TRUE(is_picture_name(name)) << name;
  }
}

TEST(ImageFormat, MessagesNameTheUsualEndings) {
  if (has_library(ImageFormat::jxl) && has_library(ImageFormat::avif)) {
    EXPECT_EQ(list_of_formats(), "png, jpg, webp, tiff, bmp, jxl or avif");
    EXPECT_EQ(list_of_formats("."), ".png, .jpg, .webp, .tiff, .bmp, .jxl or .avif");
  }
  EXPECT_EQ(list_of_titles(), "PNG, JPEG, WebP, TIFF, BMP, JPEG XL, AVIF, HEIC");
}

}  // namespace
}  // namespace srdiff
