#include <ATen/Parallel.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "base/text_escape.h"
#include "batch/work_list.h"
#include "commands/commands.h"
#include "commands/upscale_args.h"
#include "exit_status.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "output/step_pictures.h"
#include "quiet_stderr.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"
#include "srdiff/model.h"
#include "srdiff/upscaler.h"
#include "standard_streams.h"

namespace {

namespace fs = std::filesystem;

/// Where the input comes from. A pipe can be read but once, and is read when it is first needed: a
/// wrong option must not wait for its end.
class Input {
 public:
  explicit Input(const UpscaleArgs& args) : args_(args) {}

  std::string name() const { return args_.input == "-" ? "standard input" : args_.input; }

  srdiff::DeclaredSize size() {
    return args_.input == "-" ? srdiff::declared_size(piped())
                              : srdiff::declared_size(args_.input, file_limits(args_));
  }

  srdiff::Image read(const srdiff::Manifest& manifest) {
    const srdiff::DecodeLimits limits = decode_limits(args_, manifest);
    std::optional<QuietStderr> quiet;
    if (!args_.verbose) {
      quiet.emplace();
    }
    return args_.input == "-" ? srdiff::decode_image(piped(), name(), limits)
                              : srdiff::read_image(args_.input, limits);
  }

 private:
  const std::string& piped() {
    if (!piped_) {
      piped_ = read_standard_input(file_limits(args_).max_file_bytes);
    }
    return *piped_;
  }

  const UpscaleArgs& args_;
  std::optional<std::string> piped_;
};

Method choose_method_for(const UpscaleArgs& args, Input& input) {
  if (args.method.model != "auto") {
    return choose_method(args.method);
  }
  srdiff::DefaultModels models;
  const srdiff::DeclaredSize size = input.size();
  const srdiff::FoundModel& model = models.for_size(size.height, size.width);
  if (size.height > 0) {  // else reading it will say why not
    tell_default_model(model.name);
  }
  return choose_method(args.method, model);
}

/// Steps must replace neither the input nor the output, though these may have been steps once.
void check_step_names(const UpscaleArgs& args) {
  for (const fs::path picture : {args.input, args.output}) {
    if (!args.save_steps.empty() && picture != "-" && would_be_step(args.save_steps, picture)) {
      throw srdiff::UsageError(picture.string() +
                               ": a step would replace it; name another folder "
                               "for --save-steps");
    }
  }
}

void check_save_steps(const UpscaleArgs& args, const srdiff::UpscalePlan& plan) {
  if (!args.save_steps.empty() && plan.is_tiled()) {
    throw srdiff::UsageError("--save-steps shows pictures in one piece, and " + args.input +
                             " is cut into tiles; add --tile 0, or take a smaller picture");
  }
}

/// The output's format, as ".png".
std::string output_ending(const UpscaleArgs& args) {
  return args.output != "-"    ? srdiff::picture_ending(args.output)
         : args.format.empty() ? ".png"
                               : "." + args.format;
}

std::string output_name(const UpscaleArgs& args) {
  return args.output == "-" ? "standard output" : args.output;
}

void write_output(const UpscaleArgs& args, const std::string& file) {
  if (args.output != "-") {
    srdiff::write_image_file(args.output, file);
    return;
  }
  write_standard_output(file);
}

/// What can be known to fail is told before a model is loaded.
void check_paths(const UpscaleArgs& args) {
  if (args.output == "-") {
    if (args.json) {
      throw srdiff::UsageError("--json and a picture cannot share standard output");
    }
    srdiff::check_format(args.format);
    return;
  }
  if (!args.format.empty()) {
    throw srdiff::UsageError(args.output + ": names its format by its ending; leave out --format");
  }
  std::error_code error;
  if (fs::is_directory(args.output, error)) {
    throw srdiff::InputError(args.output +
                             ": cannot be written: it is a folder; name a file in it");
  }
  srdiff::check_writable_format(args.output);
  if (args.input != "-" && fs::equivalent(args.input, args.output, error)) {
    throw srdiff::UsageError(args.output + ": is the input itself; name another output");
  }
  const fs::path folder = fs::absolute(args.output).parent_path();
  if (!fs::is_directory(folder, error)) {
    throw srdiff::InputError(args.output + ": cannot be written: the folder " + folder.string() +
                             " does not exist");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw srdiff::InputError(args.output + ": cannot be written: the folder " + folder.string() +
                             " is read-only for this user");
  }
}

srdiff::UpscaleObserver make_observer(const UpscaleArgs& args, ProgressBar& bar) {
  srdiff::UpscaleObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_progress = [&bar](const srdiff::UpscaleProgress& progress) { bar.update(progress); };
  if (!args.save_steps.empty()) {
    prepare_step_folder(args.save_steps);
    observer.on_state = [folder = args.save_steps](const srdiff::UpscaleState& state) {
      write_step_picture(folder, state);
    };
  }
  return observer;
}

nlohmann::ordered_json report(const UpscaleArgs& args, const srdiff::UpscalePlan& plan,
                              const Method& method, double load_seconds, double upscale_seconds) {
  return {{"input", srdiff::name_to_utf8(args.input)},
          {"output", srdiff::name_to_utf8(args.output)},
          {"input_size", {plan.width(), plan.height()}},
          {"output_size", {plan.output_width(), plan.output_height()}},
          {"model", {{"name", method.manifest.name}, {"version", method.manifest.version}}},
          {"settings", to_json(method.settings)},
          {"device", args.method.device},
          {"precision", srdiff::to_string(method.precision)},
          {"threads", at::get_num_threads()},
          {"seconds", {{"load", load_seconds}, {"upscale", upscale_seconds}}}};
}

}  // namespace

int upscale_file(const UpscaleArgs& args) {
  check_paths(args);
  check_step_names(args);
  Input source(args);
  Method method = choose_method_for(args, source);
  const srdiff::Image input = source.read(method.manifest);
  const srdiff::UpscalePlan plan(method.manifest, method.settings, input.height(), input.width(),
                                 source.name());
  check_save_steps(args, plan);

  const Stopwatch load_watch;
  const srdiff::Upscaler upscaler = load_upscaler(method);
  const double load_seconds = load_watch.seconds();

  const Stopwatch upscale_watch;
  ProgressBar bar(args.quiet);
  std::string file;
  try {
    file = upscaler.upscale_encoded(input, plan, output_ending(args), output_name(args),
                                    encode_options(args, method), make_observer(args, bar));
  } catch (const srdiff::MemoryError& error) {
    throw srdiff::MemoryError(source.name() + ": " + error.what());
  } catch (const srdiff::Cancelled&) {
    if (args.save_steps.empty()) {
      throw;
    }
    bar.clear();
    srdiff::log::error("interrupted; {} was not written, and {} holds the steps up to here",
                       output_name(args), args.save_steps);
    return exit_interrupted;
  }
  bar.clear();
  write_output(args, file);
  if (!std::cout) {
    return exit_input_failed;  // main says why
  }

  srdiff::log::info("{}: {}x{} to {}x{} by {}, {} evaluations from t = {}, {:.2f} s", args.output,
                    plan.width(), plan.height(), plan.output_width(), plan.output_height(),
                    method.manifest.name, method.settings.nfe, method.settings.t,
                    upscale_watch.seconds());
  if (!args.save_steps.empty()) {
    srdiff::log::info("{}: the steps on the way", args.save_steps);
  }
  if (args.json) {
    print_json(report(args, plan, method, load_seconds, upscale_watch.seconds()));
  }
  return exit_ok;
}
