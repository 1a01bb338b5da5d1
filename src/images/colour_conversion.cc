#include "images/colour_conversion.h"

#include <lcms2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <opencv2/core.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace srdiff {
namespace {

using Profile = std::unique_ptr<std::remove_pointer_t<cmsHPROFILE>, decltype(&::cmsCloseProfile)>;

Profile owned(cmsHPROFILE profile) {
  return {profile, ::cmsCloseProfile};
}

/// One row's pixels to BGR. No transform where a profile cannot be used.
class Transform {
 public:
  Transform(const Profile& from, cmsUInt32Number from_format, bool deep) {
    const Profile srgb = owned(::cmsCreate_sRGBProfile());
    if (from != nullptr && srgb != nullptr) {
      transform_ = ::cmsCreateTransform(
          from.get(), from_format, srgb.get(), deep ? TYPE_BGR_16 : TYPE_BGR_8,
          INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_BLACKPOINTCOMPENSATION | cmsFLAGS_NOCACHE);
    }
  }
  Transform(const Transform&) = delete;
  Transform& operator=(const Transform&) = delete;
  ~Transform() {
    if (transform_ != nullptr) {
      ::cmsDeleteTransform(transform_);
    }
  }

  bool is_usable() const { return transform_ != nullptr; }
  void run(const void* in, void* bgr, int pixels) const {
    ::cmsDoTransform(transform_, in, bgr, static_cast<cmsUInt32Number>(pixels));
  }

 private:
  cmsHTRANSFORM transform_ = nullptr;
};

Profile profile_of(const std::string& icc) {
  // By default littlecms prints what is wrong with a profile; the caller reports it instead.
  ::cmsSetLogErrorHandler(nullptr);
  return owned(::cmsOpenProfileFromMem(icc.data(), static_cast<cmsUInt32Number>(icc.size())));
}

Profile cmyk_profile(const std::string& icc) {
  Profile profile = profile_of(icc);
  const bool fits = profile != nullptr && ::cmsGetColorSpace(profile.get()) == cmsSigCmykData;
  return fits ? std::move(profile) : owned(nullptr);
}

template <typename Sample>
void inks_taken_from_white(const Sample* cmyk, Sample* bgr, int pixels) {
  constexpr std::uint64_t top = static_cast<Sample>(-1);
  for (int x = 0; x < pixels; ++x, cmyk += 4, bgr += 3) {
    for (int ink = 0; ink < 3; ++ink) {
      const std::uint64_t light = (top - cmyk[ink]) * (top - cmyk[3]);
      bgr[2 - ink] = static_cast<Sample>((light + top / 2) / top);
    }
  }
}

/// Runs rows of `colours` of the channels through `convert(in, bgr, pixels)` and puts alpha, the
/// last channel where there is one more, behind the result.
template <typename Sample, typename Convert>
cv::Mat converted(const cv::Mat& pixels, int colours, const Convert& convert) {
  const int channels = pixels.channels();
  const bool alpha = channels > colours;
  cv::Mat result(pixels.size(), CV_MAKETYPE(pixels.depth(), alpha ? 4 : 3));
  const auto width = static_cast<std::size_t>(pixels.cols);
  std::vector<Sample> in(width * static_cast<std::size_t>(colours));
  std::vector<Sample> bgr(width * 3);
  for (int y = 0; y < pixels.rows; ++y) {
    const auto* row = pixels.ptr<Sample>(y);
    for (int x = 0; x < pixels.cols; ++x) {
      std::copy_n(row + x * channels, colours, in.begin() + x * colours);
    }
    convert(in.data(), bgr.data(), pixels.cols);
    auto* out = result.ptr<Sample>(y);
    for (int x = 0; x < pixels.cols; ++x) {
      out = std::copy_n(bgr.begin() + x * 3, 3, out);
      if (alpha) {
        *out++ = row[x * channels + colours];
      }
    }
  }
  return result;
}

template <typename Sample>
cv::Mat cmyk_to_bgr_of(const cv::Mat& inks, const Transform& transform) {
  return converted<Sample>(inks, 4, [&](const Sample* in, Sample* bgr, int pixels) {
    transform.is_usable() ? transform.run(in, bgr, pixels) : inks_taken_from_white(in, bgr, pixels);
  });
}

/// L from 0 to 100, a and b about 0, of stored b, a and L.
template <typename Sample>
void lab_values(const Sample* stored, bool is_signed, double* lab) {
  using Signed = std::make_signed_t<Sample>;
  constexpr double top = static_cast<Sample>(-1);
  constexpr double step = sizeof(Sample) == 1 ? 1.0 : 256.0;
  constexpr double middle = 128.0 * step;
  lab[0] = stored[2] / top * 100.0;
  for (int i : {1, 2}) {
    const Sample value = stored[2 - i];
    lab[i] = is_signed ? static_cast<Signed>(value) / step : (value - middle) / step;
  }
}

template <typename Sample>
cv::Mat lab_to_bgr_of(const cv::Mat& lab, bool is_signed, const Transform& transform) {
  std::vector<double> row(static_cast<std::size_t>(lab.cols) * 3);
  return converted<Sample>(lab, 3, [&](const Sample* in, Sample* bgr, int pixels) {
    for (std::ptrdiff_t at = 0; at < std::ptrdiff_t{3} * pixels; at += 3) {
      lab_values(in + at, is_signed, row.data() + at);
    }
    transform.run(row.data(), bgr, pixels);
  });
}

/// From 16 bits a channel to as many or 8, each row on its own.
template <typename Sample>
cv::Mat between_profiles_of(const cv::Mat& pixels, cmsHTRANSFORM transform) {
  const int channels = pixels.channels();
  const int colours = channels <= 2 ? 1 : 3;
  constexpr int shift = sizeof(Sample) == 1 ? 257 : 1;
  const auto width = static_cast<std::size_t>(pixels.cols);
  std::vector<std::uint16_t> in(width * static_cast<std::size_t>(colours));
  std::vector<std::uint16_t> out(in.size());
  cv::Mat result(pixels.size(), CV_MAKETYPE(cv::DataType<Sample>::depth, channels));
  for (int y = 0; y < pixels.rows; ++y) {
    const auto* row = pixels.ptr<std::uint16_t>(y);
    for (std::ptrdiff_t x = 0; x < pixels.cols; ++x) {
      std::copy_n(row + x * channels, colours, in.begin() + x * colours);
    }
    ::cmsDoTransform(transform, in.data(), out.data(), static_cast<cmsUInt32Number>(pixels.cols));
    auto* to = result.ptr<Sample>(y);
    for (int i = 0; i < pixels.cols * channels; ++i) {
      const int channel = i % channels;
      const int level = channel < colours
                            ? out[static_cast<std::size_t>(i / channels) * colours + channel]
                            : row[i];
      to[i] = static_cast<Sample>((level + shift / 2) / shift);
    }
  }
  return result;
}

}  // namespace

cv::Mat between_profiles(const cv::Mat& pixels, const std::string& from, const std::string& to,
                         bool deep) {
  const Profile source = profile_of(from);
  const Profile target = profile_of(to);
  const cmsUInt32Number format = pixels.channels() <= 2 ? TYPE_GRAY_16 : TYPE_BGR_16;
  if (source == nullptr || target == nullptr) {
    return {};
  }
  const std::unique_ptr<void, decltype(&::cmsDeleteTransform)> transform(
      ::cmsCreateTransform(source.get(), format, target.get(), format, INTENT_RELATIVE_COLORIMETRIC,
                           cmsFLAGS_NOCACHE),
      ::cmsDeleteTransform);
  if (transform == nullptr) {
    return {};
  }
  return deep ? between_profiles_of<std::uint16_t>(pixels, transform.get())
              : between_profiles_of<std::uint8_t>(pixels, transform.get());
}

bool is_usable_profile(const std::string& icc) {
  const Profile profile = profile_of(icc);
  if (profile == nullptr) {
    return false;
  }
  const bool grey = ::cmsGetColorSpace(profile.get()) == cmsSigGrayData;
  return Transform(profile, grey ? TYPE_GRAY_8 : TYPE_RGB_8, false).is_usable();
}

cv::Mat cmyk_to_bgr(const cv::Mat& inks, const std::string& icc, bool& by_profile) {
  const bool deep = inks.depth() == CV_16U;
  const Transform transform(cmyk_profile(icc), deep ? TYPE_CMYK_16 : TYPE_CMYK_8, deep);
  by_profile = transform.is_usable();
  return deep ? cmyk_to_bgr_of<std::uint16_t>(inks, transform)
              : cmyk_to_bgr_of<std::uint8_t>(inks, transform);
}

cv::Mat lab_to_bgr(const cv::Mat& lab, bool is_signed) {
  const bool deep = lab.depth() == CV_16U;
  const Transform transform(owned(::cmsCreateLab4Profile(nullptr)), TYPE_Lab_DBL, deep);
  if (!transform.is_usable()) {
    throw std::bad_alloc();
  }
  return deep ? lab_to_bgr_of<std::uint16_t>(lab, is_signed, transform)
              : lab_to_bgr_of<std::uint8_t>(lab, is_signed, transform);
}

}  // namespace srdiff
