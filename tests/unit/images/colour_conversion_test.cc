#include "images/colour_conversion.h"

#include <gtest/gtest.h>
#include <lcms2.h>

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>

#include "support/icc_profile.h"

namespace srdiff {
namespace {

/// Paper is white, black is black, and what is called cyan is sRGB's red.
int print_red_for_cyan(const cmsUInt16Number in[], cmsUInt16Number out[], void* /*cargo*/) {
  const bool black = in[3] > 0;
  const bool red = !black && in[0] > 0;
  // ICC.1, lut16Type: L of 100 is 0xFF00, a and b of 0 are 0x8000.
  out[0] = static_cast<cmsUInt16Number>(black ? 0 : red ? 54.3 * 652.8 : 0xFF00);
  out[1] = static_cast<cmsUInt16Number>(0x8000 + (red ? 80.8 * 256 : 0));
  out[2] = static_cast<cmsUInt16Number>(0x8000 + (red ? 69.9 * 256 : 0));
  return 1;
}

std::string printer_profile() {
  cmsHPROFILE profile = ::cmsCreateProfilePlaceholder(nullptr);
  ::cmsSetProfileVersion(profile, 2.1);
  ::cmsSetDeviceClass(profile, cmsSigOutputClass);
  ::cmsSetColorSpace(profile, cmsSigCmykData);
  ::cmsSetPCS(profile, cmsSigLabData);
  cmsPipeline* const table = ::cmsPipelineAlloc(nullptr, 4, 3);
  cmsStage* const stage = ::cmsStageAllocCLut16bit(nullptr, 2, 4, 3, nullptr);
  ::cmsStageSampleCLut16bit(stage, print_red_for_cyan, nullptr, 0);
  ::cmsPipelineInsertStage(table, cmsAT_END, stage);
  ::cmsWriteTag(profile, cmsSigAToB0Tag, table);
  ::cmsPipelineFree(table);
  return support::icc_of(profile);
}

cv::Vec3b bgr_of(const cv::Vec4b& inks, const std::string& icc, bool expect_profile) {
  bool by_profile = !expect_profile;
  const cv::Mat bgr = cmyk_to_bgr(cv::Mat(1, 1, CV_8UC4, cv::Scalar(inks)), icc, by_profile);
  EXPECT_EQ(by_profile, expect_profile);
  return bgr.at<cv::Vec3b>(0, 0);
}

TEST(ColourConversion, InksAreWhatTheirProfileSays) {
  const std::string icc = printer_profile();
  EXPECT_EQ(bgr_of({0, 0, 0, 0}, icc, true), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(bgr_of({0, 0, 0, 255}, icc, true), cv::Vec3b(0, 0, 0));
  const cv::Vec3b red = bgr_of({255, 0, 0, 0}, icc, true);
  EXPECT_LT(red[0], 30);
  EXPECT_LT(red[1], 30);
  EXPECT_GT(red[2], 250);
}

TEST(ColourConversion, WithoutAProfileInksAreTakenFromWhite) {
  for (const std::string& icc : {std::string(), std::string(200, 'x')}) {
    EXPECT_EQ(bgr_of({255, 0, 0, 0}, icc, false), cv::Vec3b(255, 255, 0));
    EXPECT_EQ(bgr_of({0, 0, 0, 51}, icc, false), cv::Vec3b(204, 204, 204));
  }
}

TEST(ColourConversion, AlphaStaysBehindTheColours) {
  bool by_profile = true;
  cv::Mat with_alpha = cv::Mat::zeros(1, 1, CV_16UC(5));
  with_alpha.ptr<std::uint16_t>(0)[4] = 1234;
  const cv::Mat bgra = cmyk_to_bgr(with_alpha, "", by_profile);
  ASSERT_EQ(bgra.channels(), 4);
  EXPECT_EQ(bgra.ptr<std::uint16_t>(0)[0], 65535);
  EXPECT_EQ(bgra.ptr<std::uint16_t>(0)[3], 1234);
}

}  // namespace
}  // namespace srdiff
