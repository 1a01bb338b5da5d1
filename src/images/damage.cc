#include "images/damage.h"

#include <algorithm>
#include <opencv2/core.hpp>

namespace srdiff {

void Damage::add_rows(std::int64_t first, std::int64_t last) {
  const bool none_yet = first_ == last_;
  first_ = none_yet ? first : std::min(first_, first);
  last_ = none_yet ? last : std::max(last_, last);
}

std::string Damage::text(std::int64_t rows) const {
  if (first_ < last_) {
    return "is damaged: rows " + std::to_string(first_ + 1) + " to " + std::to_string(last_) +
           " of " + std::to_string(rows) + " are grey or wrong" +
           (doubtful_ ? ", the others coarse or wrong in places" : "");
  }
  return doubtful_ ? "is damaged: it is coarse, or wrong in places"
                   : "is damaged: its end is missing, but no pixel";
}

void fill_grey(cv::Mat part, bool inks) {
  const bool deep = part.depth() == CV_16U;
  const int half = deep ? 32768 : 128;
  if (inks) {
    part.setTo(cv::Scalar(0, 0, 0, half));
    return;
  }
  cv::Scalar grey = cv::Scalar::all(half);
  if (part.channels() % 2 == 0) {
    grey[part.channels() - 1] = deep ? 65535 : 255;
  }
  part.setTo(grey);
}

}  // namespace srdiff
