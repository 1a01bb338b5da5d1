#include "batch/report.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/enum_words.h"
#include "base/file_io.h"
#include "base/json_text.h"
#include "base/text_escape.h"
#include "batch/journal.h"
#include "images/image_format.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr EnumWords<ImageStatus, 3> status_words = {"the status",
                                                    {{{ImageStatus::done, "done"},
                                                      {ImageStatus::skipped, "skipped"},
                                                      {ImageStatus::failed, "failed"}}}};

ordered_json size_or_null(const ImageSize& size) {
  return size.width > 0 ? ordered_json{size.width, size.height} : ordered_json();
}

/// What a merge needs of a line.
struct Line {
  std::string text;
  ImageStatus status;
};

/// Outputs in order; an input that has none (a folder that cannot be listed) by its own name.
using Lines = std::map<std::pair<std::string, std::string>, Line>;

void add_line(const std::string& text, Lines& lines) {
  const auto fields = parse_json(text);
  const ImageStatus status = status_words.parse(fields.at("status").get<std::string>());
  const auto output = fields.at("output").get<std::string>();
  const auto input = output.empty() ? fields.at("input").get<std::string>() : "";
  const auto [line, is_new] = lines.emplace(std::pair(output, input), Line{text, status});
  if (!is_new && (status == ImageStatus::done || line->second.status != ImageStatus::done)) {
    line->second = {text, status};
  }
}

/// Whether a text may be what a kill has left of a line.
bool begins_as_a_line(const std::string& text) {
  constexpr std::string_view head = R"({"input":)";
  const std::size_t both = std::min(head.size(), text.size());
  return text.compare(0, both, head, 0, both) == 0;
}

void add_report(const fs::path& path, Lines& lines) {
  std::istringstream stream(read_file(path));
  std::size_t number = 0;
  for (std::string text; std::getline(stream, text);) {
    ++number;
    try {
      add_line(text, lines);
    } catch (const std::exception&) {
      if (!stream.eof() || !begins_as_a_line(text)) {
        throw InputError(path.string() + ":" + std::to_string(number) +
                             ": is no line of a report of srdiff upscale",
                         ErrorCode::report_unreadable);
      }
      log::warn("{}:{}: the last line is torn; it was left out", path.string(), number);
    }
  }
}

/// Empties a report of an earlier run, but never that of one that is still writing: it holds a
/// lock. Pipes and devices are shared, and a file system without locks cannot keep two runs apart.
void take_over(const fs::path& path, int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return;
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw UsageError(path.string() + ": another run is writing this report; give each run its own");
  }
  if (uninterrupted([descriptor] { return ::ftruncate(descriptor, 0); }) != 0) {
    throw WriteError(path, errno);
  }
}

/// Opening a pipe waits for its reader, which may never come; writing to it may wait.
FileDescriptor open_report(const fs::path& path) {
  FileDescriptor file(uninterrupted([&path] {
    constexpr int flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    return ::open(path.c_str(), flags, 0666);
  }));
  if (!file.is_open() && errno == ENXIO) {
    throw InputError(path.string() + ": cannot be written: nobody reads this pipe");
  }
  if (!file.is_open() || ::fcntl(file.number(), F_SETFL, O_WRONLY) != 0) {
    throw WriteError(path, errno);
  }
  take_over(path, file.number());
  return file;
}

/// Whether a run reads or writes the file, under whatever name.
bool is_used(const fs::path& file, const WorkList& work, const std::vector<fs::path>& others) {
  std::error_code error;
  const fs::path place = fs::weakly_canonical(file, error);
  const fs::path made_in = fs::weakly_canonical(work.output_folder, error);
  const auto is = [&file, exists = fs::exists(file, error)](const fs::path& other) {
    std::error_code absent;
    return exists && fs::equivalent(file, other, absent);
  };
  const auto is_of = [&](const WorkItem& item) {
    return place == made_in / item.output || is(work.input_folder / item.name) ||
           is(work.output_folder / item.output);
  };
  return (place.parent_path() == made_in && Journal::is_name_of_one(place)) ||
         std::any_of(others.begin(), others.end(), is) ||
         std::any_of(work.items.begin(), work.items.end(), is_of) ||
         std::any_of(work.elsewhere.begin(), work.elsewhere.end(), is_of);
}

}  // namespace

void check_report(const fs::path& report, const WorkList& work,
                  const std::vector<fs::path>& others) {
  if (report.empty()) {
    return;
  }
  if (is_picture_name(report)) {  // another shard's, perhaps
    throw UsageError(report.string() + ": names a picture; give the report another name");
  }
  if (is_used(report, work, others)) {
    throw UsageError(report.string() +
                     ": is a file that the run itself needs; give the report another name");
  }
  std::error_code error;
  if (fs::is_block_file(report, error)) {
    throw UsageError(report.string() + ": is a block device; give the report another name");
  }
}

std::string to_string(ImageStatus status) {
  return status_words.word(status);
}

ReportFile::ReportFile(fs::path path, std::string made_by, std::uint64_t seed)
    : path_(std::move(path)), made_by_(std::move(made_by)), seed_(seed) {
  if (!path_.empty()) {
    file_ = open_report(path_);
  }
}

void ReportFile::add(const ImageReport& report) {
  if (path_.empty()) {
    return;
  }
  const ordered_json line = {
      {"input", name_to_utf8(report.input.native())},
      {"output", name_to_utf8(report.output.native())},
      {"status", to_string(report.status)},
      {"reason", report.reason},
      {"input_size", size_or_null(report.input_size)},
      {"output_size", size_or_null(report.output_size)},
      {"seed", seed_},
      {"parameters", ordered_json::parse(made_by_.empty() ? "null" : made_by_)},
      {"seconds", report.seconds}};
  if (const int error = write_all(file_.number(), line.dump() + "\n")) {
    throw WriteError(path_, error);
  }
}

MergedReport merge_reports(const std::vector<fs::path>& reports) {
  Lines lines;
  for (const fs::path& report : reports) {
    add_report(report, lines);
  }
  MergedReport merged;
  merged.images.total = lines.size();
  for (const auto& [key, line] : lines) {
    merged.lines += line.text + "\n";
    (line.status == ImageStatus::done      ? merged.images.done
     : line.status == ImageStatus::skipped ? merged.images.skipped
                                           : merged.images.failed) += 1;
  }
  return merged;
}

}  // namespace srdiff
