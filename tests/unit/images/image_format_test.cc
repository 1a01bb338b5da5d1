#include "images/image_format.h"

#include <gtest/gtest.h>

namespace srdiff {
namespace {

TEST(ImageFormat, EachEndingHasOneFormat) {
  for (const FormatTraits& traits : image_formats()) {
    for (const std::string& word : traits.words) {
      EXPECT_EQ(format_of_ending("." + word), traits.format) << word;
      EXPECT_TRUE(is_format_word(word) && is_picture_name("a." + word)) << word;
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
  EXPECT_EQ(list_of_formats(), "png, jpg, webp, tiff or bmp");
  EXPECT_EQ(list_of_formats("."), ".png, .jpg, .webp, .tiff or .bmp");
}

}  // namespace
}  // namespace srdiff
