#include "srdiff/image_io.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/unstoppable_work.h"
#include "srdiff/error.h"
#include "support/expect.h"

namespace srdiff {
namespace {

/// Values that an 8- or 16-bit file holds exactly.
at::Tensor levels(std::int64_t channels, int bit_depth) {
  const double top = bit_depth == 16 ? 65535 : 255;
  const at::Tensor values = at::linspace(0, 1, channels * 6 * 9).mul(top).round().div(top);
  return values.reshape({channels, 6, 9});
}

Image colour(int bit_depth = 8) {
  Image image;
  image.rgb = levels(3, bit_depth) * 2 - 1;
  image.bit_depth = bit_depth;
  return image;
}

std::string why_no_picture(const std::string& bytes, const DecodeLimits& limits = {}) {
  return support::message_of<InputError>([&] { decode_image(bytes, "in.png", limits); });
}

class Lossless : public testing::TestWithParam<const char*> {};

TEST_P(Lossless, KeepsEightBitColour) {
  const Image back = decode_image(encode_image(colour(), GetParam(), "x"), "x");
  EXPECT_TRUE(at::allclose(back.rgb, colour().rgb, 0, 1e-6));
  EXPECT_EQ(back.bit_depth, 8);
  EXPECT_FALSE(back.grey);
  EXPECT_FALSE(back.alpha.defined());
}

INSTANTIATE_TEST_SUITE_P(All, Lossless, testing::Values(".png", ".tiff", ".bmp"),
                         [](const auto& info) { return std::string(info.param + 1); });

TEST(ImageIo, DecodingIsWorkThatCannotBeStopped) {
  Image image;
  image.rgb = at::linspace(-1, 1, std::int64_t{3} * 1500 * 1500).reshape({3, 1500, 1500});
  const std::string bytes = encode_image(image, ".png", "x");
  EXPECT_FALSE(UnstoppableWork::goes_on());
  std::atomic<bool> done = false;
  std::thread decoder([&] {
    decode_image(bytes, "x");
    done = true;
  });
  bool seen = false;
  while (!done && !seen) {
    seen = UnstoppableWork::goes_on();
  }
  decoder.join();
  EXPECT_TRUE(seen);
  EXPECT_FALSE(UnstoppableWork::goes_on());
}

TEST(ImageIo, KeepsSixteenBits) {
  for (const char* extension : {".png", ".tiff"}) {
    const Image back = decode_image(encode_image(colour(16), extension, "x"), "x");
    EXPECT_EQ(back.bit_depth, 16);
    EXPECT_TRUE(at::allclose(back.rgb, colour(16).rgb, 0, 1e-6)) << extension;
  }
}

TEST(ImageIo, SixteenBitsBecomeEightWhereTheFormatHasNoMore) {
  EXPECT_EQ(decode_image(encode_image(colour(16), ".bmp", "x"), "x").bit_depth, 8);
}

TEST(ImageIo, KeepsGrey) {
  Image image = colour();
  image.grey = true;
  image.rgb = (levels(1, 8) * 2 - 1).expand({3, -1, -1});
  const Image back = decode_image(encode_image(image, ".png", "x"), "x");
  EXPECT_TRUE(back.grey);
  EXPECT_TRUE(at::allclose(back.rgb, image.rgb, 0, 1e-6));
}

TEST(ImageIo, KeepsAlpha) {
  Image image = colour();
  image.alpha = levels(1, 8);
  const Image back = decode_image(encode_image(image, ".png", "x"), "x");
  EXPECT_TRUE(at::allclose(back.rgb, image.rgb, 0, 1e-6));
  EXPECT_TRUE(at::allclose(back.alpha, image.alpha, 0, 1e-6));
}

TEST(ImageIo, RedIsRed) {
  Image image = colour();
  image.rgb = at::full({3, 4, 4}, -1.0);
  image.rgb[0] = 1.0;
  for (const char* extension : {".png", ".jpg", ".webp", ".tiff", ".bmp"}) {
    const Image back = decode_image(encode_image(image, extension, "x"), "x");
    EXPECT_GT(back.rgb[0].min().item<double>(), 0.9) << extension;
    EXPECT_LT(back.rgb[2].max().item<double>(), -0.9) << extension;
  }
}

TEST(ImageIo, RoundsAndClampsWhenWriting) {
  Image image;
  image.rgb = at::full({3, 2, 2}, -5.0);
  image.rgb[0] = 5.0;
  image.rgb[1] = 0.5F / 255 * 2 - 1 + 1e-4F;  // just above half a level
  const Image back = decode_image(encode_image(image, ".png", "x"), "x");
  EXPECT_EQ(back.rgb[0].min().item<float>(), 1.0F);
  EXPECT_NEAR(back.rgb[1].max().item<float>(), 1.0F / 255 * 2 - 1, 1e-6);
  EXPECT_EQ(back.rgb[2].max().item<float>(), -1.0F);
}

TEST(ImageIo, TransparencyInAFormatWithoutItIsRefused) {
  Image image = colour();
  image.alpha = levels(1, 8);
  EXPECT_THROW(encode_image(image, ".jpg", "x.jpg"), InputError);
  EXPECT_THROW(encode_image(image, ".bmp", "x.bmp"), InputError);
}

TEST(ImageIo, OpaqueAlphaIsNoReasonToRefuseAFormatWithoutIt) {
  for (const bool grey : {false, true}) {
    Image image = colour();
    image.grey = grey;
    for (const char* extension : {".jpg", ".bmp"}) {
      image.alpha = at::Tensor();
      const std::string without = encode_image(image, extension, "x");
      image.alpha = at::ones({1, 6, 9});
      EXPECT_TRUE(encode_image(image, extension, "x") == without) << extension;
    }
    EXPECT_TRUE(decode_image(encode_image(image, ".png", "x"), "x").alpha.defined());
  }
}

TEST(ImageIo, NamesWhatIsWrongWithAPicture) {
  const std::string png = encode_image(colour(), ".png", "x");
  EXPECT_NE(why_no_picture("").find("in.png: is empty"), std::string::npos);
  EXPECT_NE(why_no_picture("hello, world").find("is not a picture"), std::string::npos);
  EXPECT_NE(why_no_picture(png.substr(0, png.size() / 2)).find("is cut short"), std::string::npos);
  EXPECT_NE(why_no_picture(png, {.max_pixels = 53}).find("declares 9x6 pixels"), std::string::npos);
  EXPECT_NO_THROW(decode_image(png, "in.png", {.max_pixels = 54}));
}

TEST(ImageIo, AHeaderIsRefusedWithoutDecoding) {
  PictureFile text("no picture", "it");
  EXPECT_EQ(text.stored_size().width, 0);
  EXPECT_EQ(text.stored_size().height, 0);
  EXPECT_THROW(text.check({}), InputError);
  EXPECT_THROW(text.decode(), InputError);
  PictureFile file(encode_image(colour(), ".png", "it"), "it");
  DecodeLimits limits;
  limits.max_pixels = file.size().width * file.size().height;
  file.check(limits);
  --limits.max_pixels;
  EXPECT_THROW(file.check(limits), InputError);
}

TEST(ImageIo, ADamagedPictureIsRefused) {
  std::string png = encode_image(colour(), ".png", "x");
  const std::size_t data = png.find("IDAT");
  png[data + 10] = static_cast<char>(png[data + 10] ^ 0x55);
  EXPECT_THROW(decode_image(png, "in.png"), InputError);
}

/// Of a picture so busy that most of the file is picture data.
std::string busy_jpeg() {
  Image image;
  image.rgb = at::sin(at::arange(3 * 64 * 64).mul(12.9898)).reshape({3, 64, 64});
  return encode_image(image, ".jpg", "x");
}

TEST(ImageIo, AJpegWithDamagedDataIsRefused) {
  const std::string sound = busy_jpeg();
  EXPECT_NO_THROW(decode_image(sound, "in.jpg"));
  const std::size_t half = sound.size() / 2;
  std::string flipped = sound;
  for (std::size_t i = 0; i < 40; i += 2) {  // ones alone are no code
    flipped.replace(half + i, 2, std::string("\xFF\0", 2));
  }
  EXPECT_NE(why_no_picture(flipped).find("damaged picture data"), std::string::npos);
  const std::string cut = sound.substr(0, half) + "\xFF\xD9";
  EXPECT_NE(why_no_picture(cut).find("damaged picture data"), std::string::npos);
}

TEST(ImageIo, BytesBeforeTheEndOfAJpegAreNoDamage) {
  std::string padded = busy_jpeg();
  padded.insert(padded.size() - 2, 100, '\0');
  EXPECT_NO_THROW(decode_image(padded, "in.jpg"));
}

TEST(ImageIo, KeepsGreyWithAlpha) {
  for (const int bit_depth : {8, 16}) {
    Image image = colour(bit_depth);
    image.grey = true;
    image.rgb = (levels(1, bit_depth) * 2 - 1).expand({3, -1, -1});
    image.alpha = levels(1, bit_depth).flip(2);
    for (const char* extension : {".png", ".tiff"}) {
      const std::string file = encode_image(image, extension, "x");
      const Image back = decode_image(file, "x");
      EXPECT_TRUE(at::allclose(back.rgb, image.rgb, 0, 1e-6)) << extension << bit_depth;
      EXPECT_TRUE(at::allclose(back.alpha, image.alpha, 0, 1e-6)) << extension << bit_depth;
      EXPECT_EQ(back.grey, extension == std::string(".png"));
    }
  }
}

TEST(ImageIo, KeepsStraightAlphaInTiff) {
  for (const int bit_depth : {8, 16}) {
    Image image = colour(bit_depth);
    image.alpha = levels(1, bit_depth);
    const Image back = decode_image(encode_image(image, ".tiff", "x"), "x");
    EXPECT_TRUE(at::allclose(back.rgb, image.rgb, 0, 1e-6)) << bit_depth;
    EXPECT_TRUE(at::allclose(back.alpha, image.alpha, 0, 1e-6)) << bit_depth;
  }
}

TEST(ImageIo, AFlatPictureIsRefusedOnlyWhereItIsLarge) {
  Image image;
  image.rgb = at::zeros({1, 1, 1}).expand({3, 2000, 2000});
  image.grey = true;
  const std::string small = encode_image(image, ".png", "x");
  EXPECT_NO_THROW(decode_image(small, "in.png", {.max_pixels_per_byte = 1.0}));
  image.rgb = at::zeros({1, 1, 1}).expand({3, 4100, 4100});
  const std::string large = encode_image(image, ".png", "x");
  EXPECT_NE(why_no_picture(large).find("decompression bomb"), std::string::npos) << large.size();
  EXPECT_NO_THROW(decode_image(large, "in.png", {.max_pixels_per_byte = 2000.0}));
}

TEST(ImageIo, AFileMayBeTooLarge) {
  const std::string png = encode_image(colour(), ".png", "x");
  EXPECT_NE(why_no_picture(png, {.max_file_bytes = 20}).find("larger than the 20 bytes"),
            std::string::npos);
}

TEST(ImageIo, QualityIsFromOneToAHundred) {
  EXPECT_LT(encode_image(colour(), ".jpg", "x", {.quality = 5}).size(),
            encode_image(colour(), ".jpg", "x", {.quality = 100}).size());
  EXPECT_THROW(encode_image(colour(), ".jpg", "x", {.quality = 0}), UsageError);
  EXPECT_THROW(encode_image(colour(), ".jpg", "x", {.quality = 101}), UsageError);
}

TEST(ImageIo, KnowsTheEndingsItWrites) {
  for (const char* name : {"a.png", "a.PNG", "a.jpg", "b.jpeg", "c.webp", "d.tif", "e.tiff"}) {
    EXPECT_NO_THROW(check_writable_format(name)) << name;
  }
  for (const char* name : {"a", "a.gif", "png", ".png/a"}) {
    EXPECT_THROW(check_writable_format(name), UsageError) << name;
  }
}

}  // namespace
}  // namespace srdiff
