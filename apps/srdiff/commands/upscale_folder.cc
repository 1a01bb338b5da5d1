#include <ATen/Parallel.h>
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/counted.h"
#include "base/file_descriptor.h"
#include "base/text_escape.h"
#include "batch/batch.h"
#include "batch/report.h"
#include "commands/commands.h"
#include "commands/upscale_args.h"
#include "exit_status.h"
#include "images/image_format.h"
#include "interruption.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "page/html_page.h"
#include "page/upscale_page.h"
#include "remedies.h"
#include "shell_words.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "standard_streams.h"

namespace {

namespace fs = std::filesystem;
using Stop = srdiff::BatchSummary::Stop;

/// What is typed overrides its opposite in a configuration: the command that goes on after a stop
/// is the typed one with --resume.
srdiff::Existing existing(const UpscaleArgs& args) {
  bool resume = args.folder.resume;
  if (args.folder.resume && args.folder.overwrite) {
    resume = args.typed.count("--resume") > 0;
    if (resume == (args.typed.count("--overwrite") > 0)) {
      throw srdiff::UsageError("--overwrite excludes --resume");
    }
  }
  return resume                  ? srdiff::Existing::resume
         : args.folder.overwrite ? srdiff::Existing::overwrite
                                 : srdiff::Existing::refuse;
}

void check_list(const UpscaleArgs& args) {
  const FolderArgs& folder = args.folder;
  if (!folder.files_from.empty() && !(folder.globs.empty() && folder.excludes.empty())) {
    throw srdiff::UsageError(std::string("--files-from excludes ") +
                             (folder.globs.empty() ? "--exclude" : "--glob"));
  }
  if (folder.null_separated && folder.files_from.empty() && args.typed.count("--null") > 0) {
    throw srdiff::UsageError("--null requires --files-from");
  }
}

void check_arguments(const UpscaleArgs& args) {
  existing(args);
  check_list(args);
  if (args.output == "-") {
    throw srdiff::UsageError(args.input + ": is a folder; standard output takes one picture");
  }
  std::error_code error;
  if (srdiff::is_picture_name(args.output) && !fs::is_directory(args.output, error)) {
    throw srdiff::UsageError(args.output + ": names a picture, but " + args.input +
                             " is a folder; name a folder");
  }
  if (args.variants) {
    throw srdiff::UsageError("--variants is for one picture, and " + args.input + " is a folder");
  }
  if (!args.save_weight_map.empty()) {
    throw srdiff::UsageError("--save-weight-map is for one picture, and " + args.input +
                             " is a folder");
  }
  if (!args.mask.empty() && !fs::is_directory(args.mask, error)) {
    throw srdiff::UsageError(args.mask +
                             ": is no folder; of several pictures each has a mask of its name");
  }
  if (!args.mask.empty() && fs::equivalent(args.mask, args.output, error)) {
    throw srdiff::UsageError(args.output + ": is the folder of the masks; name another output");
  }
  if (!args.save_steps.empty()) {
    throw srdiff::UsageError("--save-steps is for one picture, and " + args.input + " is a folder");
  }
}

/// The text of the list; a read that fails is not its end.
std::string list_text(const std::string& file) {
  if (file == "-") {
    return read_to_end(STDIN_FILENO, "standard input");
  }
  const srdiff::FileDescriptor list(::open(file.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  if (!list.is_open()) {
    throw srdiff::InputError(file + ": cannot be read: " + srdiff::error_text(errno));
  }
  return read_to_end(list.number(), file);
}

std::vector<std::string> listed_names(const FolderArgs& args) {
  std::istringstream text(list_text(args.files_from));
  std::vector<std::string> names;
  for (std::string name; std::getline(text, name, args.null_separated ? '\0' : '\n');) {
    if (!name.empty()) {
      names.push_back(name);
    }
  }
  return names;
}

srdiff::WorkListOptions work_options(const UpscaleArgs& args) {
  srdiff::WorkListOptions options;
  options.recursive = args.folder.recursive;
  options.globs = args.folder.globs;
  options.excludes = args.folder.excludes;
  options.format = args.format;
  options.suffix = args.folder.suffix;
  options.shard = srdiff::parse_shard(args.folder.shard);
  return options;
}

srdiff::WorkList list_work(const UpscaleArgs& args) {
  return args.folder.files_from.empty()
             ? list_folder(args.input, args.output, work_options(args))
             : list_names(args.input, listed_names(args.folder), args.output, work_options(args));
}

/// The model for faces where every picture of every shard is small enough for it. The first picture
/// that is too large decides, and no other header is read then. Pictures that are read for it stay
/// with this shard's items, as far as memory should hold them.
srdiff::FoundModel default_model_of(const UpscaleArgs& args, srdiff::WorkList& work) {
  constexpr std::size_t most_held = std::size_t{64} << 20;
  std::size_t held = 0;
  srdiff::DefaultModels models;
  srdiff::FoundModel model = models.for_size(0, 0);
  const std::string of_faces = model.name;
  bool any = false;
  for (auto* part : {&work.items, &work.elsewhere}) {  // all shards must choose alike
    for (auto item = part->begin(); item != part->end() && model.name == of_faces; ++item) {
      try {
        srdiff::PictureFile file =
            srdiff::open_picture(work.input_folder / item->name, file_limits(args));
        const srdiff::DeclaredSize size = file.stored_size();
        any = any || size.height > 0;
        model = models.for_size(size.height, size.width);
        if (part == &work.items && held + file.bytes().size() <= most_held) {
          held += file.bytes().size();
          item->opened = std::make_shared<srdiff::PictureFile>(std::move(file));
        }
      } catch (const srdiff::InputError&) {
        continue;  // reported with the other failures
      }
    }
  }
  if (any) {
    tell_default_model(model.name);
  }
  return model;
}

/// One model for all pictures.
Method choose_method_for(const UpscaleArgs& args, srdiff::WorkList& work) {
  if (args.method.model == "auto") {
    return choose_method(args.method, default_model_of(args, work));
  }
  return choose_method(args.method);
}

/// What a report must not replace beside pictures.
std::vector<fs::path> files_in_use(const UpscaleArgs& args, const Method& method) {
  std::vector<fs::path> files = {args.folder.files_from, args.config};
  std::error_code error;
  for (fs::directory_iterator entry(method.folder, error), end; !error && entry != end;
       entry.increment(error)) {
    files.push_back(entry->path());
  }
  return files;
}

srdiff::BatchOptions batch_options(const UpscaleArgs& args, const Method& method) {
  srdiff::BatchOptions options;
  options.existing = existing(args);
  options.fail_fast = args.folder.fail_fast;
  options.limits = decode_limits(args, method.manifest);
  options.encode = encode_options(args, method);
  options.masks = args.mask;
  options.report = args.folder.report;
  options.word_failure = worded;
  return options;
}

srdiff::BatchSummary run(const UpscaleArgs& args, const Method& method,
                         const srdiff::Upscaler& upscaler, const srdiff::WorkList& work,
                         std::optional<UpscalePage>& page) {
  std::optional<QuietStderr> quiet;
  if (!args.verbose) {
    quiet.emplace();
  }
  ProgressBar bar(args.quiet);
  bar.begin("", args.input + ": " +
                    srdiff::counted(static_cast<std::int64_t>(work.items.size()), "picture"));
  srdiff::BatchObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_image = [&](const srdiff::ImageReport& image, const srdiff::BatchProgress& progress) {
    if (page) {
      page->add(image);
    }
    srdiff::log::debug("{}: {}, {:.2f} s", image.output.string(), to_string(image.status),
                       image.seconds);
    bar.update(progress);
  };
  observer.on_work = [&bar](const srdiff::BatchWork& networks,
                            const srdiff::BatchProgress& progress) {
    bar.update(networks, progress);
  };
  return run_batch(upscaler, work, method.settings, batch_options(args, method), observer);
}

/// Why a run had no picture, and what else would find some.
std::string why_none(const UpscaleArgs& args, const srdiff::WorkList& work) {
  if (!work.elsewhere.empty()) {
    return fmt::format(
        "{}: part {} has none of its {}", args.input, args.folder.shard,
        srdiff::counted(static_cast<std::int64_t>(work.elsewhere.size()), "picture"));
  }
  const std::string none = args.input + ": has no picture to upscale; ";
  if (!args.folder.files_from.empty()) {
    return none + "the list names none";
  }
  return none + (args.folder.recursive ? "" : "--recursive looks into folders, ") +
         "--glob takes other endings";
}

void print_summary(const UpscaleArgs& args, const srdiff::BatchSummary& summary,
                   const srdiff::WorkList& work, double seconds) {
  const srdiff::BatchProgress& images = summary.images;
  srdiff::log::info("{}: {} of {} pictures done, {} skipped as done before, {} failed, {:.1f} s",
                    args.output, images.done, images.total, images.skipped, images.failed, seconds);
  for (const srdiff::ImageReport& failure : summary.failures) {
    srdiff::log::error("{}: {}", failure.input.string(), failure.reason);
  }
  if (work.left_out > 0) {
    srdiff::log::info(
        "{}: {} {} left out, whose names do not end as pictures' do; --glob takes them", args.input,
        work.left_out, work.left_out == 1 ? "file was" : "files were");
  }
  if (images.total == 0) {
    srdiff::log::warn("{}", why_none(args, work));
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

int upscale_listed(const UpscaleArgs& args, srdiff::WorkList work) {
  if (!args.folder.html.empty()) {
    check_page_file(args.folder.html, args.folder.overwrite);
  }
  check_outputs(work, existing(args));
  args.tell_left_out();
  Method method = choose_method_for(args, work);
  check_report(args.folder.report, work, files_in_use(args, method));

  const Stopwatch load_watch;
  const srdiff::Upscaler upscaler = load_upscaler(method, needed_parts(method.settings));
  const double load_seconds = load_watch.seconds();

  const Stopwatch run_watch;
  std::optional<UpscalePage> page;
  if (!args.folder.html.empty()) {
    page.emplace(args.folder.html, work.input_folder);
  }
  const srdiff::BatchSummary summary = run(args, method, upscaler, work, page);
  print_summary(args, summary, work, run_watch.seconds());
  if (page) {
    page->write(args.output, srdiff::made_by(method.manifest, method.settings, method.precision),
                summary);
  }
  if (args.json) {
    print_json(summary_json(args, method, summary, load_seconds, run_watch.seconds()));
  }
  if (summary.stop == Stop::cancelled) {
    return exit_interrupted;
  }
  return summary.images.failed == 0 && summary.stop == Stop::none ? exit_ok : exit_input_failed;
}

/// The first option that looks into a folder, which several pictures are not.
std::string folder_option(const FolderArgs& args) {
  return args.recursive             ? "--recursive"
         : !args.globs.empty()      ? "--glob"
         : !args.excludes.empty()   ? "--exclude"
         : !args.files_from.empty() ? "--files-from"
                                    : "";
}

}  // namespace

int upscale_folder(const UpscaleArgs& args) {
  check_arguments(args);
  return upscale_listed(args, list_work(args));
}

int upscale_files(const UpscaleArgs& typed) {
  UpscaleArgs args = typed;
  std::vector<fs::path> inputs = {typed.input, typed.output};
  inputs.insert(inputs.end(), typed.more.begin(), typed.more.end());
  args.output = inputs.back().string();
  inputs.pop_back();
  args.input = std::to_string(inputs.size()) + " pictures";
  std::error_code error;
  if (args.output.size() > 1 && args.output.front() == '-' && !fs::exists(args.output, error)) {
    throw srdiff::UsageError("'" + args.output +
                             "' stands behind --, where all words are names; a folder of that name "
                             "is ./" +
                             args.output);
  }
  if (args.output != "-" && srdiff::is_picture_name(args.output) &&
      !fs::is_directory(args.output, error)) {
    throw srdiff::UsageError(
        args.output + ": names a picture; of several pictures the last word is their folder");
  }
  if (const std::string option = folder_option(args.folder); !option.empty()) {
    throw srdiff::UsageError(option + " looks into a folder; several pictures are named here");
  }
  for (const fs::path& input : inputs) {
    if (input == "-" || fs::is_directory(input, error)) {
      throw srdiff::UsageError(input.string() +
                               ": is not a picture's file, as each of several inputs must be");
    }
    if (!fs::exists(input, error)) {
      throw srdiff::InputError(input.string() + ": no such file or folder");
    }
  }
  check_arguments(args);
  return upscale_listed(args, list_files(inputs, args.output, work_options(args)));
}
