#pragma once

#include <cstdint>
#include <string>

namespace cv {
class Mat;
}

namespace srdiff {

/// What of a picture could not be read, because its file is damaged or cut. Rows are those of the
/// pixels as they are stored.
class Damage {
 public:
  /// Rows first <= y < last are grey, or wrong.
  void add_rows(std::int64_t first, std::int64_t last);
  /// The other rows are there, but coarse, or wrong in places: nobody can say where.
  void add_doubt() { doubtful_ = true; }
  /// Something is missing, such as the end, that takes nothing from the pixels.
  void add_harmless() { harmless_ = true; }

  bool any() const { return first_ < last_ || doubtful_ || harmless_; }

  /// "is damaged: rows 121 to 400 of 400 are grey or wrong", with rows counted from 1.
  std::string text(std::int64_t rows) const;

 private:
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  bool doubtful_ = false;
  bool harmless_ = false;
};

/// Makes a part of decoded pixels grey and opaque; `inks` says that four channels are C, M, Y and
/// K.
void fill_grey(cv::Mat part, bool inks = false);

}  // namespace srdiff
