#pragma once

#include <filesystem>
#include <string>

#include "base/file_descriptor.h"
#include "batch/batch.h"

namespace srdiff {

/// A file of JSON Lines that grows by one a picture.
class ReportFile {
 public:
  /// `made_by` and the seed go into each line. An empty path writes nothing.
  /// Throws InputError when the file cannot be made, or is a pipe that nobody reads.
  ReportFile(std::filesystem::path path, std::string made_by, std::uint64_t seed);
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  /// Throws InputError.
  void add(const ImageReport& report);

 private:
  std::filesystem::path path_;
  std::string made_by_;
  std::uint64_t seed_;
  FileDescriptor file_;
};

}  // namespace srdiff
