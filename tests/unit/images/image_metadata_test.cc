#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "images/optional_formats.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

/// The endings of the formats that hold it.
const std::vector<std::string> with_metadata = [] {
  std::vector<std::string> endings = {".png", ".jpg", ".webp", ".tiff"};
  for (const ImageFormat format : {ImageFormat::jxl, ImageFormat::avif}) {
    if (has_library(format)) {
      endings.push_back("." + traits_of(format).words.front());
    }
  }
  return endings;
}();

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
  for (const std::string& extension : with_metadata) {
    // JPEG XL's encoder wants a profile that is one: see ColoursOfAProfileKeepTheirValues.
    const std::string icc = extension == ".jxl" ? "" : profile("RGB ");
    const Image image =
        picture({.exif = exif_block(1), .xmp = packet("xmp:Label=\"a label\""), .icc = icc});
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

TEST(ImageMetadata, TheSizeIsKnownBeforeDecoding) {
  for (const char* extension : {".png", ".jpg", ".webp", ".tif", ".bmp"}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      Image stored = picture({.exif = exif_block(static_cast<char>(orientation))});
      stored.rgb = stored.rgb.slice(2, 0, 5).contiguous();  // not square
      PictureFile file(encode_image(stored, extension, "it"), "it");
      EXPECT_EQ(file.stored_size().width, 5) << extension;
      EXPECT_EQ(file.stored_size().height, stored.height()) << extension;
      const DeclaredSize size = file.size();
      const Image decoded = file.decode();
      EXPECT_EQ(size.width, decoded.width()) << extension << orientation;
      EXPECT_EQ(size.height, decoded.height()) << extension << orientation;
      const bool turned = orientation >= 5 && extension != std::string(".bmp");
      EXPECT_EQ(size.width, turned ? stored.height() : 5) << extension << orientation;
      EXPECT_TRUE(at::equal(decoded.rgb, decode_image(file.bytes(), "it").rgb)) << extension;
    }
  }
}

TEST(ImageMetadata, TheOrientationIsAppliedAndThenOne) {
  for (const std::string& extension : with_metadata) {
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
  for (const std::string& extension : with_metadata) {
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
  for (const std::string& extension : with_metadata) {
    EXPECT_FALSE(there_and_back(image, extension, options).metadata) << extension;
  }
}

TEST(ImageMetadata, AFailureIsAWarningAndThePictureIsWritten) {
  const Log log;
  const Image image = picture({.exif = "no EXIF", .xmp = "no XML", .iptc = "no IIM"});
  for (const std::string& extension : with_metadata) {
    EXPECT_EQ(there_and_back(image, extension).width(), 32) << extension;
  }
  EXPECT_TRUE(log.has("x.webp: its IPTC cannot be written and is left out")) << log.text();
  EXPECT_TRUE(log.has("x.png: its XMP cannot be written and is left out")) << log.text();
}

TEST(ImageMetadata, AProfileThatIsNoneIsLeftOutOfAJpegXl) {
  if (!has_library(ImageFormat::jxl)) {
    GTEST_SKIP() << built_without(ImageFormat::jxl);
  }
  const Log log;
  EXPECT_FALSE(there_and_back(picture({.icc = profile("RGB ")}), ".jxl").metadata);
  EXPECT_TRUE(log.has("x.jxl: its colour profile cannot be written and is left out")) << log.text();
}

TEST(ImageMetadata, CodePointsWithoutAWordInAJpegXlAreLeftOut) {
  if (!has_library(ImageFormat::jxl)) {
    GTEST_SKIP() << built_without(ImageFormat::jxl);
  }
  Metadata metadata;
  metadata.cicp = std::string("\x05\x05\x00\x01", 4);  // an old television's
  const Log log;
  EXPECT_FALSE(there_and_back(picture(metadata), ".jxl").metadata);
  EXPECT_TRUE(log.has("x.jxl: its colours are not sRGB, and what says so (cICP) is left out"))
      << log.text();
  EXPECT_EQ(there_and_back(picture(metadata), ".png").metadata->cicp, metadata.cicp);
}

TEST(ImageMetadata, BmpHasNone) {
  const Log log;
  EXPECT_FALSE(there_and_back(picture({.exif = exif_block(1)}), ".bmp").metadata);
  EXPECT_TRUE(log.has("x.bmp: its EXIF cannot be written and is left out")) << log.text();
}

Image with_resolution(float x, float y, int unit) {
  Metadata metadata;
  metadata.resolution = Resolution{x, y, unit};
  return picture(std::move(metadata));
}

TEST(ImageMetadata, TheResolutionComesThroughEveryFormat) {
  for (const char* extension : {".png", ".jpg", ".bmp", ".tiff", ".webp"}) {
    const Log log;
    const Image back = there_and_back(with_resolution(300, 72, 2), extension);
    ASSERT_TRUE(back.metadata) << extension;
    // Whichever place it has in one format, it comes to the next.
    const Image again = there_and_back(back, ".png");
    ASSERT_TRUE(again.metadata && again.metadata->resolution) << extension;
    EXPECT_NEAR(again.metadata->resolution->x, 300, 0.01) << extension;
    EXPECT_NEAR(again.metadata->resolution->y, 72, 0.01) << extension;
    EXPECT_EQ(log.text(), "") << extension;
  }
  const Image metric = there_and_back(with_resolution(118, 118, 3), ".jpg");
  EXPECT_EQ(metric.metadata->resolution->unit, 3);
  EXPECT_EQ(metric.metadata->resolution->x, 118);
}

TEST(ImageMetadata, PixelsThatAreNotSquareStaySo) {
  for (const char* extension : {".png", ".jpg"}) {
    const Image back = there_and_back(with_resolution(2, 1, 1), extension);
    ASSERT_TRUE(back.metadata && back.metadata->resolution) << extension;
    EXPECT_EQ(back.metadata->resolution->unit, 1);
    EXPECT_EQ(back.metadata->resolution->x, 2);
  }
  EXPECT_FALSE(there_and_back(with_resolution(1, 1, 1), ".jpg").metadata);
}

TEST(ImageMetadata, ExifsResolutionIsWrittenWhereReadersLookFirst) {
  const Image in_exif = there_and_back(with_resolution(300, 300, 2), ".webp");
  ASSERT_FALSE(in_exif.metadata->resolution);
  EXPECT_EQ(there_and_back(in_exif, ".jpg").metadata->resolution->x, 300);
  EXPECT_EQ(there_and_back(in_exif, ".png").metadata->resolution->x, 300);
}

TEST(ImageMetadata, TextStaysAPngs) {
  Metadata metadata;
  metadata.png_text = {std::string("tEXtTitle\0a title", 17),
                       std::string("iTXtparameters\0\0\0\0\0steps: 20", 28)};
  const Image image = picture(metadata);
  EXPECT_EQ(there_and_back(image, ".png", {.made_by = "x"}).metadata->png_text, metadata.png_text);
  EXPECT_FALSE(there_and_back(image, ".png", {.strip_metadata = true}).metadata);
  const Log log;
  there_and_back(image, ".jpg");
  EXPECT_TRUE(log.has("x.jpg: its text (Title, parameters) is left out")) << log.text();
}

TEST(ImageMetadata, AJpegsCommentsStayAndBecomeText) {
  Metadata metadata;
  metadata.exif = exif_block(1);
  metadata.comments = {"a comment", "gr\xc3\xbc\xc3\x9f\x65"};
  const Image image = picture(metadata);
  const Image back = there_and_back(image, ".jpg");
  EXPECT_EQ(back.metadata->comments, metadata.comments);
  EXPECT_TRUE(contains(back.metadata->exif, "me"));
  EXPECT_EQ(
      there_and_back(image, ".png").metadata->png_text,
      (std::vector<std::string>{std::string("tEXtComment\0a comment", 21),
                                std::string("iTXtComment\0\0\0\0\0", 16) + metadata.comments[1]}));
  const Log log;
  there_and_back(image, ".webp");
  EXPECT_TRUE(log.has("its comment is left out")) << log.text();
}

TEST(ImageMetadata, CodePointsOfColourStayOrAreMissed) {
  Metadata metadata;
  metadata.cicp = std::string("\x0c\x0d\0\x01", 4);  // Display P3
  EXPECT_EQ(there_and_back(picture(metadata), ".png").metadata->cicp, metadata.cicp);
  const Log log;
  there_and_back(picture(metadata), ".jpg");
  EXPECT_TRUE(log.has("(cICP) is left out")) << log.text();
  metadata.cicp = std::string("\x01\x0d\0\x01", 4);  // sRGB
  const Log none;
  there_and_back(picture(metadata), ".jpg");
  EXPECT_EQ(none.text(), "");
}

TEST(ImageMetadata, EntriesOfNoTypeAreLeftOut) {
  std::string exif = exif_block(1);
  exif[8] = 3;  // an entry more, of tag 1 and type 0
  exif.resize(exif.size() - 5);
  exif += std::string("\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0", 16);
  const std::string block = there_and_back(picture({.exif = exif}), ".jpg").metadata->exif;
  EXPECT_TRUE(contains(block, "me"));
  const std::string first_tag = block.substr(10, 2);
  EXPECT_EQ(first_tag, std::string("\x0f\x01")) << "Make is no longer first";
}

TEST(ImageMetadata, XmpOfWhatCameBehindThePictureIsDropped) {
  const Log log;
  const Image image = picture(
      {.xmp = packet("xmp:Label=\"a label\" xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" "
                     "hdrgm:Version=\"1.0\" "
                     "xmlns:GCamera=\"http://ns.google.com/photos/1.0/camera/\" "
                     "GCamera:MicroVideoOffset=\"9\" GCamera:BurstID=\"b\"")});
  const std::string xmp = there_and_back(image, ".jpg").metadata->xmp;
  EXPECT_TRUE(contains(xmp, "a label") && contains(xmp, "BurstID")) << xmp;
  EXPECT_FALSE(contains(xmp, "hdrgm:Version") || contains(xmp, "MicroVideo")) << xmp;
  EXPECT_TRUE(log.has("beside it is left out")) << log.text();
}

TEST(ImageMetadata, PicturesAndVideosBehindAJpegAreMissed) {
  const std::string file = encode_image(picture({}), ".jpg", "x");
  {
    const Log log;
    decode_image(file + file, "x");
    EXPECT_TRUE(log.has("holds several pictures")) << log.text();
  }
  const Log log;
  decode_image(file + std::string("\0\0\0\x18"
                                  "ftypmp42",
                                  12),
               "x");
  EXPECT_TRUE(log.has("holds a video")) << log.text();
}

TEST(ImageMetadata, AnXmpOfManyMegabytesIsLeftOut) {
  const Log log;
  const std::string label(3 << 20, 'x');
  // Into TIFF, since a JPEG's segment holds 64 KiB.
  const Image back =
      there_and_back(picture({.xmp = packet("xmp:Label=\"" + label + "\"")}), ".tiff");
  EXPECT_FALSE(back.metadata && !back.metadata->xmp.empty());
  EXPECT_TRUE(log.has("it is larger than 2 MiB")) << log.text();
}

TEST(ImageMetadata, AnOrientationThatXmpAloneSaysStaysAsItIs) {
  const Image image = picture({.xmp = packet("tiff:Orientation=\"6\"")});
  const Image back = there_and_back(image, ".jpg");
  EXPECT_EQ(back.rgb.sizes(), image.rgb.sizes());
  EXPECT_TRUE(contains(back.metadata->xmp, "Orientation=\"6\"")) << back.metadata->xmp;
}

}  // namespace
}  // namespace srdiff
