#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text_escape.h"
#include "batch/batch.h"
#include "commands/commands.h"
#include "commands/upscale_args.h"
#include "exit_status.h"
#include "images/image_format.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "quiet_stderr.h"
#include "shell_words.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace {

namespace fs = std::filesystem;
using Stop = srdiff::BatchSummary::Stop;

bool is_typed(const std::string& option) {
  const auto names_follow = std::find(command_line.begin(), command_line.end(), "--");
  return std::any_of(command_line.begin(), names_follow,
                     [&](const std::string& word) { return option_name(word) == option; });
}

/// What is typed goes before a configuration's opposite, as elsewhere: the command that goes on
/// after a stop is the same with --resume.
srdiff::Existing existing(const FolderArgs& args) {
  bool resume = args.resume;
  if (args.resume && args.overwrite) {
    resume = is_typed("--resume");
    if (resume == is_typed("--overwrite")) {
      throw srdiff::UsageError("--overwrite excludes --resume");
    }
  }
  return resume           ? srdiff::Existing::resume
         : args.overwrite ? srdiff::Existing::overwrite
                          : srdiff::Existing::refuse;
}

void check_arguments(const UpscaleArgs& args) {
  existing(args.folder);
  if (args.output == "-") {
    throw srdiff::UsageError(args.input + ": is a folder; standard output takes one picture");
  }
  std::error_code error;
  if (srdiff::is_picture_name(args.output) && !fs::is_directory(args.output, error)) {
    throw srdiff::UsageError(args.output + ": names a picture, but " + args.input +
                             " is a folder; name a folder");
  }
  if (!args.save_steps.empty()) {
    throw srdiff::UsageError("--save-steps is for one picture, and " + args.input + " is a folder");
  }
}

std::vector<std::string> listed_names(const FolderArgs& args) {
  std::ifstream file;
  if (args.files_from != "-") {
    file.open(args.files_from, std::ios::binary);
    if (!file) {
      throw srdiff::InputError(args.files_from + ": cannot be read");
    }
  }
  std::istream& stream = args.files_from == "-" ? std::cin : file;
  std::vector<std::string> names;
  for (std::string name; std::getline(stream, name, args.null_separated ? '\0' : '\n');) {
    if (!name.empty()) {
      names.push_back(name);
    }
  }
  if (interrupted) {
    throw srdiff::Cancelled();  // the list may not be whole
  }
  if (stream.bad()) {
    throw srdiff::InputError(args.files_from + ": cannot be read to its end");
  }
  return names;
}

srdiff::WorkList list_work(const UpscaleArgs& args) {
  const FolderArgs& folder = args.folder;
  srdiff::WorkListOptions options;
  options.recursive = folder.recursive;
  options.globs = folder.globs;
  options.excludes = folder.excludes;
  options.format = args.format;
  options.suffix = folder.suffix;
  options.shard = srdiff::parse_shard(folder.shard);
  return folder.files_from.empty()
             ? list_folder(args.input, args.output, options)
             : list_names(args.input, listed_names(folder), args.output, options);
}

/// One model for all: the faces' where every picture is small enough for it.
Method choose_method_for(const UpscaleArgs& args, const srdiff::WorkList& work) {
  if (args.method.model == "auto") {
    srdiff::DeclaredSize largest;
    for (const auto* part : {&work.items, &work.elsewhere}) {  // all shards must choose alike
      for (const srdiff::WorkItem& item : *part) {
        try {
          const auto size = srdiff::declared_size(work.input_folder / item.name, file_limits(args));
          largest = {std::max(largest.width, size.width), std::max(largest.height, size.height)};
        } catch (const srdiff::InputError&) {
          continue;  // reported with the other failures
        }
      }
    }
    srdiff::DefaultModels models;
    const srdiff::FoundModel& model = models.for_size(largest.height, largest.width);
    if (largest.height > 0) {
      tell_default_model(model.name);
    }
    return choose_method(args.method, model);
  }
  return choose_method(args.method);
}

srdiff::BatchOptions batch_options(const UpscaleArgs& args, const Method& method) {
  srdiff::BatchOptions options;
  options.existing = existing(args.folder);
  options.fail_fast = args.folder.fail_fast;
  options.limits = decode_limits(args, method.manifest);
  options.encode = encode_options(args, method);
  options.report = args.folder.report;
  return options;
}

srdiff::BatchSummary run(const UpscaleArgs& args, const Method& method,
                         const srdiff::Upscaler& upscaler, const srdiff::WorkList& work) {
  std::optional<QuietStderr> quiet;
  if (!args.verbose) {
    quiet.emplace();
  }
  ProgressBar bar(args.quiet);
  srdiff::BatchObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_image = [&bar](const srdiff::ImageReport& image,
                             const srdiff::BatchProgress& progress) {
    srdiff::log::debug("{}: {}, {:.2f} s", image.output.string(), to_string(image.status),
                       image.seconds);
    bar.update(progress);
  };
  return run_batch(upscaler, work, method.settings, batch_options(args, method), observer);
}

void print_summary(const UpscaleArgs& args, const srdiff::BatchSummary& summary, double seconds) {
  const srdiff::BatchProgress& images = summary.images;
  srdiff::log::info("{}: {} of {} pictures done, {} skipped as done before, {} failed, {:.1f} s",
                    args.output, images.done, images.total, images.skipped, images.failed, seconds);
  for (const srdiff::ImageReport& failure : summary.failures) {
    srdiff::log::error("{}: {}", failure.input.string(), failure.reason);
  }
  if (images.total == 0) {
    srdiff::log::warn("{}: has no picture to upscale{}", args.input,
                      !args.folder.files_from.empty() ? "; the list names none"
                                                      : "; --recursive looks into folders, --glob "
                                                        "takes other endings");
  }
  if (summary.stop == Stop::storage) {
    srdiff::log::error("{}; stopped, what is there is whole", summary.stop_reason);
  }
  if (summary.stop != Stop::none) {
    srdiff::log::error("{}to go on: {}", summary.stop == Stop::cancelled ? "interrupted; " : "",
                       resume_command(command_line));
  }
}

nlohmann::ordered_json summary_json(const UpscaleArgs& args, const Method& method,
                                    const srdiff::BatchSummary& summary, double load_seconds,
                                    double run_seconds) {
  const srdiff::BatchProgress& images = summary.images;
  return {{"input", srdiff::name_to_utf8(args.input)},
          {"output", srdiff::name_to_utf8(args.output)},
          {"shard", args.folder.shard},
          {"images",
           {{"total", images.total},
            {"done", images.done},
            {"skipped", images.skipped},
            {"failed", images.failed}}},
          {"model", {{"name", method.manifest.name}, {"version", method.manifest.version}}},
          {"settings", to_json(method.settings)},
          {"device", args.method.device},
          {"precision", srdiff::to_string(method.precision)},
          {"threads", at::get_num_threads()},
          {"compute_busy", summary.compute_busy},
          {"seconds", {{"load", load_seconds}, {"run", run_seconds}}}};
}

}  // namespace

int upscale_folder(const UpscaleArgs& args) {
  check_arguments(args);
  const srdiff::WorkList work = list_work(args);
  check_outputs(work, existing(args.folder));
  check_report(args.folder.report, work, args.folder.files_from);
  Method method = choose_method_for(args, work);

  const Stopwatch load_watch;
  const srdiff::Upscaler upscaler = load_upscaler(method);
  const double load_seconds = load_watch.seconds();

  const Stopwatch run_watch;
  const srdiff::BatchSummary summary = run(args, method, upscaler, work);
  print_summary(args, summary, run_watch.seconds());
  if (args.json) {
    print_json(summary_json(args, method, summary, load_seconds, run_watch.seconds()));
  }
  if (summary.stop == Stop::cancelled) {
    return exit_interrupted;
  }
  return summary.images.failed == 0 && summary.stop == Stop::none ? exit_ok : exit_input_failed;
}
