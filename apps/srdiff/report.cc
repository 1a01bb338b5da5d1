#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "exit_status.h"
#include "srdiff/batch.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace {

struct ReportArgs {
  std::vector<std::string> reports;
  std::string output = "-";
};

int run_merge(const ReportArgs& args) {
  const srdiff::MergedReport merged =
      srdiff::merge_reports({args.reports.begin(), args.reports.end()});
  if (args.output == "-") {
    std::cout << merged.lines;
  } else if (!(std::ofstream(args.output, std::ios::binary) << merged.lines << std::flush)) {
    throw srdiff::InputError(args.output + ": cannot be written");
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
