#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "srdiff/batch.h"

namespace srdiff {

/// A file of JSON Lines that grows by one a picture.
class ReportFile {
 public:
  /// `made_by` and the seed go into each line. An empty path writes nothing.
  /// Throws InputError when the file cannot be made.
  ReportFile(std::filesystem::path path, std::string made_by, std::uint64_t seed);

  /// Throws InputError.
  void add(const ImageReport& report);

 private:
  std::filesystem::path path_;
  std::string made_by_;
  std::uint64_t seed_;
  std::ofstream stream_;
};

}  // namespace srdiff
