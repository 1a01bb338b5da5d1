#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "srdiff/image_io.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

constexpr const char* with_metadata[] = {".png", ".jpg", ".webp", ".tiff"};

/// What is logged while it lives.
class Log {
 public:
  Log() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  ~Log() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }
  bool has(const std::string& words) const { return text().find(words) != std::string::npos; }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

/// A little-endian EXIF block with Make = "me" and an orientation.
std::string exif_block(char orientation) {
  constexpr char block[] =
      "II*\0\x08\0\0\0\x02\0"
      "\x0f\x01\x02\0\x03\0\0\0me\0\0"
      "\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"
      "\0\0\0";
  constexpr std::size_t orientation_offset = 30;
  std::string exif(block, sizeof(block));
  exif[orientation_offset] = orientation;
  return exif;
}

std::string profile(const std::string& colour_space) {
  std::string icc(200, '\x2a');
  icc.replace(0, 4, std::string("\0\0\0\xc8", 4));  // its size
  icc.replace(12, 8, "mntr" + colour_space);
  icc.replace(36, 4, "acsp");
  return icc;
}

std::string packet(const std::string& properties) {
  return "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
         "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description "
         "rdf:about=\"\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" "
         "xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\" " +
         properties + "/></rdf:RDF></x:xmpmeta>";
}

/// Each corner of another colour, wider than high.
Image picture(Metadata metadata) {
  Image image;
  image.rgb = at::full({3, 16, 32}, -1.0);
  image.rgb[0].slice(0, 0, 8).slice(1, 0, 16).fill_(1.0);
  image.rgb[1].slice(0, 0, 8).slice(1, 16, 32).fill_(1.0);
  image.rgb[2].slice(0, 8, 16).slice(1, 0, 16).fill_(1.0);
  image.metadata = std::make_shared<const Metadata>(std::move(metadata));
  return image;
}

Image there_and_back(const Image& image, const std::string& extension,
                     const EncodeOptions& options = {}) {
  return decode_image(encode_image(image, extension, "x" + extension, options), "x" + extension);
}

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST(ImageMetadata, ComesThroughEveryFormatThatHoldsIt) {
  const Image image = picture(
      {.exif = exif_block(1), .xmp = packet("xmp:Label=\"a label\""), .icc = profile("RGB ")});
  for (const char* extension : with_metadata) {
    const Log log;
    const Image back = there_and_back(image, extension);
    ASSERT_TRUE(back.metadata) << extension;
    EXPECT_TRUE(contains(back.metadata->exif, "me")) << extension;
    EXPECT_TRUE(contains(back.metadata->xmp, "a label")) << extension;
    EXPECT_EQ(back.metadata->icc, image.metadata->icc) << extension;
    EXPECT_EQ(log.text(), "") << extension;
  }
}

TEST(ImageMetadata, APictureWithoutHasNone) {
  const Image back = there_and_back(picture({}), ".png");
  EXPECT_FALSE(back.metadata);
}

/// What EXIF 2.32 says that each orientation's first row and column are.
at::Tensor as_stored(const at::Tensor& upright, int orientation) {
  switch (orientation) {
    case 2:
      return upright.flip(2);
    case 3:
      return upright.flip({1, 2});
    case 4:
      return upright.flip(1);
    case 5:
      return upright.transpose(1, 2);
    case 6:
      return upright.rot90(1, {1, 2});
    case 7:
      return upright.transpose(1, 2).flip({1, 2});
    case 8:
      return upright.rot90(3, {1, 2});
    default:
      return upright;
  }
}

TEST(ImageMetadata, TheOrientationIsAppliedAndThenOne) {
  for (const char* extension : with_metadata) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      Image stored =
          picture({.exif = exif_block(static_cast<char>(orientation)),
                   .xmp = packet("tiff:Orientation=\"" + std::to_string(orientation) + "\"")});
      const at::Tensor upright = stored.rgb;
      stored.rgb = as_stored(upright, orientation).contiguous();
      const Image once = there_and_back(stored, extension);
      ASSERT_EQ(once.rgb.sizes(), upright.sizes()) << extension << orientation;
      EXPECT_LT((once.rgb - upright).abs().mean().item<double>(), 0.1) << extension << orientation;
      const Image twice = there_and_back(once, extension);
      EXPECT_LT((twice.rgb - upright).abs().mean().item<double>(), 0.1) << extension << orientation;
      EXPECT_TRUE(contains(once.metadata->exif, "me")) << extension << orientation;
      EXPECT_TRUE(contains(once.metadata->xmp, "Orientation=\"1\"")) << once.metadata->xmp;
    }
  }
}

TEST(ImageMetadata, AProfileForOtherChannelsIsLeftOut) {
  Image grey = picture({.icc = profile("RGB ")});
  grey.rgb = grey.rgb.slice(0, 0, 1).expand({3, -1, -1});
  grey.grey = true;
  const Log log;
  EXPECT_FALSE(there_and_back(grey, ".png").metadata);
  EXPECT_TRUE(log.has("x.png: its colour profile cannot be written")) << log.text();
  EXPECT_FALSE(there_and_back(picture({.icc = profile("CMYK")}), ".jpg").metadata);
  EXPECT_FALSE(there_and_back(picture({.icc = profile("GRAY")}), ".tiff").metadata);
  grey.metadata = picture({.icc = profile("GRAY")}).metadata;
  EXPECT_EQ(there_and_back(grey, ".png").metadata->icc, profile("GRAY"));
}

TEST(ImageMetadata, SaysHowAPictureWasMade) {
  const Image image = picture({.xmp = packet("xmp:Label=\"a label\"")});
  const EncodeOptions options = {.made_by = R"({"seed":7})"};
  for (const char* extension : with_metadata) {
    const std::string file = encode_image(image, extension, "x", options);
    EXPECT_EQ(encode_image(image, extension, "y", options), file) << extension;
    const Image once = decode_image(file, "x");
    EXPECT_TRUE(contains(once.metadata->xmp, "seed")) << once.metadata->xmp;
    EXPECT_TRUE(contains(once.metadata->xmp, "a label"));
    EXPECT_TRUE(contains(once.metadata->exif, "srdiff"));
    // A second pass adds a step to the history.
    const Image twice = there_and_back(once, extension, {.made_by = "later"});
    EXPECT_TRUE(contains(twice.metadata->xmp, "seed") && contains(twice.metadata->xmp, "later"));
  }
}

TEST(ImageMetadata, CanBeStripped) {
  const Image image = picture({.exif = exif_block(1), .icc = profile("RGB ")});
  const EncodeOptions options = {.strip_metadata = true, .made_by = "srdiff"};
  for (const char* extension : with_metadata) {
    EXPECT_FALSE(there_and_back(image, extension, options).metadata) << extension;
  }
}

TEST(ImageMetadata, AFailureIsAWarningAndThePictureIsWritten) {
  const Log log;
  const Image image = picture({.exif = "no EXIF", .xmp = "no XML", .iptc = "no IIM"});
  for (const char* extension : with_metadata) {
    EXPECT_EQ(there_and_back(image, extension).width(), 32) << extension;
  }
  EXPECT_TRUE(log.has("x.webp: its IPTC cannot be written and is left out")) << log.text();
  EXPECT_TRUE(log.has("x.png: its XMP cannot be written and is left out")) << log.text();
}

TEST(ImageMetadata, BmpHasNone) {
  const Log log;
  EXPECT_FALSE(there_and_back(picture({.exif = exif_block(1)}), ".bmp").metadata);
  EXPECT_TRUE(log.has("x.bmp: its EXIF cannot be written and is left out")) << log.text();
}

}  // namespace
}  // namespace srdiff
