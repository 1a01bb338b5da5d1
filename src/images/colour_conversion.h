#pragma once

#include <string>

namespace cv {
class Mat;
}

namespace srdiff {

/// Inks to colours of sRGB: C, M, Y and K (0 no ink) and perhaps alpha, 8 or 16 bits each, to BGR
/// and alpha of as many bits. By the ICC profile, relative to white and with the black point
/// adapted; where `icc` is no profile of CMYK, by (1 − C)(1 − K) and so on, as browsers show such
/// pictures. `by_profile` says which of the two it was.
cv::Mat cmyk_to_bgr(const cv::Mat& inks, const std::string& icc, bool& by_profile);

/// Lab of a TIFF, 8 or 16 bits a channel in the order b, a, L (and alpha), to sRGB as BGR (and
/// alpha). `is_signed`: a and b are signed numbers as in CIELab; in ICCLab they are offset.
cv::Mat lab_to_bgr(const cv::Mat& lab, bool is_signed);

/// Grey or BGR, and perhaps alpha, of 16 bits each, from one ICC profile's colours to those of
/// another, relative to white; of 16 bits if `deep`, else of 8. Empty where a profile does not fit.
cv::Mat between_profiles(const cv::Mat& pixels, const std::string& from, const std::string& to,
                         bool deep);

/// Whether colours can be converted from a profile of grey or RGB.
bool is_usable_profile(const std::string& icc);

}  // namespace srdiff
