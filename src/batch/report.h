#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "batch/image_report.h"
#include "batch/work_list.h"

namespace srdiff {

/// A file of JSON Lines that grows by one a picture.
class ReportFile {
 public:
  /// `made_by` and the seed go into each line. An empty path writes nothing.
  /// Throws InputError when the file cannot be made, or is a pipe that nobody reads; UsageError
  /// when another run is writing it.
  ReportFile(std::filesystem::path path, std::string made_by, std::uint64_t seed);
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  /// Throws WriteError.
  void add(const ImageReport& report);

 private:
  std::filesystem::path path_;
  std::string made_by_;
  std::uint64_t seed_;
  FileDescriptor file_;
};

/// Throws UsageError when `report`, unless empty, is a file that the run reads or makes: a picture,
/// a journal, or one of `others`, such as a list of names, a configuration or a model's files.
void check_report(const std::filesystem::path& report, const WorkList& work,
                  const std::vector<std::filesystem::path>& others = {});

/// Lines of several reports, sorted by output. Of an output that comes twice the last line that is
/// done counts, else the last.
struct MergedReport {
  std::string lines;
  BatchProgress images;
};

/// A last line that a kill tore apart is left out. Throws InputError "FILE:LINE: …" on a file that
/// is no report.
MergedReport merge_reports(const std::vector<std::filesystem::path>& reports);

}  // namespace srdiff
