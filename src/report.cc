#include "report.h"

#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "enum_words.h"
#include "file_bytes.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "srdiff/name_text.h"
#include "temporary_file.h"

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
  const auto fields = nlohmann::json::parse(text);
  const ImageStatus status = status_words.parse(fields.at("status").get<std::string>());
  const auto output = fields.at("output").get<std::string>();
  const auto input = output.empty() ? fields.at("input").get<std::string>() : "";
  const auto [line, is_new] = lines.emplace(std::pair(output, input), Line{text, status});
  if (!is_new && (status == ImageStatus::done || line->second.status != ImageStatus::done)) {
    line->second = {text, status};
  }
}

void add_report(const fs::path& path, Lines& lines) {
  std::istringstream stream(read_file(path));
  std::size_t number = 0;
  for (std::string text; std::getline(stream, text);) {
    ++number;
    try {
      add_line(text, lines);
    } catch (const std::exception&) {
      if (!stream.eof()) {
        throw InputError(path.string() + ":" + std::to_string(number) +
                         ": is no line of a report of srdiff upscale --report");
      }
      log::warn("{}:{}: the last line is torn; it was left out", path.string(), number);
    }
  }
}

}  // namespace

std::string to_string(ImageStatus status) {
  return status_words.word(status);
}

ReportFile::ReportFile(fs::path path, std::string made_by, std::uint64_t seed)
    : path_(std::move(path)), made_by_(std::move(made_by)), seed_(seed) {
  if (path_.empty()) {
    return;
  }
  errno = 0;
  stream_.open(path_, std::ios::binary | std::ios::trunc);
  if (!stream_) {
    throw WriteError(path_, errno);
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
      {"reason", name_to_utf8(report.reason)},
      {"input_size", size_or_null(report.input_size)},
      {"output_size", size_or_null(report.output_size)},
      {"seed", seed_},
      {"parameters", ordered_json::parse(made_by_.empty() ? "null" : made_by_)},
      {"seconds", report.seconds}};
  errno = 0;
  if (!(stream_ << line.dump() << '\n' << std::flush)) {
    throw WriteError(path_, errno);
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
