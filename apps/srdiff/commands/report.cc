#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "base/file_io.h"
#include "batch/report.h"
#include "commands/commands.h"
#include "exit_status.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace {

struct ReportArgs {
  std::vector<std::string> reports;
  std::string output = "-";
};

/// A pipe or a device takes the text as it comes.
void write_output(const std::string& path, const std::string& text) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_regular_file(status) || !std::filesystem::exists(status)) {
    srdiff::write_file_atomically(path, text);
  } else if (!(std::ofstream(path, std::ios::binary) << text << std::flush)) {
    throw srdiff::InputError(path + ": cannot be written");
  }
}

int run_merge(const ReportArgs& args) {
  const srdiff::MergedReport merged =
      srdiff::merge_reports({args.reports.begin(), args.reports.end()});
  if (args.output == "-") {
    std::cout << merged.lines;
  } else {
    write_output(args.output, merged.lines);
  }
  const srdiff::BatchProgress& images = merged.images;
  srdiff::log::info("{} pictures: {} done, {} skipped as done before, {} failed", images.total,
                    images.done, images.skipped, images.failed);
  return images.failed == 0 ? exit_ok : exit_input_failed;
}

}  // namespace

void add_report(CLI::App& app, Command& command) {
  auto args = std::make_shared<ReportArgs>();
  CLI::App& sub = *app.add_subcommand("report", "Join the reports of several folder runs");
  sub.require_subcommand(1);
  CLI::App& merge = *sub.add_subcommand("merge", "Join reports, a line an output, sorted");
  merge.footer(
      "Of an output that several reports name, the last line that is done counts, else the last.\n"
      "Exit status: 0 no picture failed, 1 one failed or a report cannot be read.");
  merge.add_option("REPORT", args->reports, "Files of srdiff upscale --report")->required();
  merge.add_option("-o,--output", args->output, "File to write, - for stdout")
      ->capture_default_str();
  merge.callback([args, &command] { command = [args] { return run_merge(*args); }; });
}
