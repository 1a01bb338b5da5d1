#include <spdlog/fmt/fmt.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/counted.h"
#include "base/file_io.h"
#include "base/text_escape.h"
#include "batch/work_list.h"
#include "commands/commands.h"
#include "commands/output_checks.h"
#include "commands/upscale_args.h"
#include "exit_status.h"
#include "interruption.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "output/step_pictures.h"
#include "output/weight_map_picture.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"
#include "srdiff/model.h"
#include "srdiff/upscaler.h"
#include "standard_streams.h"

namespace {

namespace fs = std::filesystem;

/// The input's file, which is read once, when it is first needed: a wrong option must not wait for
/// the end of a pipe.
class Input {
 public:
  explicit Input(const UpscaleArgs& args) : args_(args) {}

  std::string name() const { return args_.input == "-" ? "standard input" : args_.input; }

  srdiff::DeclaredSize stored_size() { return file().stored_size(); }

  /// The size of the picture that `decode` gives. Throws InputError when it cannot be decoded.
  srdiff::DeclaredSize size(const srdiff::DecodeLimits& limits) {
    const auto quiet = quiet_unless_verbose();
    file().check(limits);
    return file().size();
  }

  /// Once; the file is gone then.
  srdiff::Image decode(const srdiff::DecodeLimits& limits) {
    const auto quiet = quiet_unless_verbose();
    srdiff::PictureFile whole = std::move(file());
    file_.reset();
    return whole.decode(limits);
  }

 private:
  srdiff::PictureFile& file() {
    if (!file_) {
      const srdiff::DecodeLimits limits = file_limits(args_);
      file_ = args_.input == "-"
                  ? srdiff::PictureFile(read_standard_input(limits.max_file_bytes), name())
                  : srdiff::open_picture(args_.input, limits);
    }
    return *file_;
  }

  /// Libraries that read pictures write to standard error as they like.
  std::unique_ptr<QuietStderr> quiet_unless_verbose() const {
    return args_.verbose ? nullptr : std::make_unique<QuietStderr>();
  }

  const UpscaleArgs& args_;
  std::optional<srdiff::PictureFile> file_;
};

Method choose_method_for(const UpscaleArgs& args, Input& input) {
  if (args.method.model != "auto") {
    return choose_method(args.method);
  }
  srdiff::DefaultModels models;
  const srdiff::DeclaredSize size = input.stored_size();
  const srdiff::FoundModel& model = models.for_size(size.height, size.width);
  if (size.height > 0) {  // else reading it will say why not
    tell_default_model(model.name);
  }
  return choose_method(args.method, model);
}

/// Steps must replace no file that the run reads or writes, though these may have been steps once.
void check_step_names(const UpscaleArgs& args) {
  for (const fs::path picture : {args.input, args.output, args.mask, args.save_weight_map}) {
    if (!args.save_steps.empty() && !picture.empty() && picture != "-" &&
        would_be_step(args.save_steps, picture)) {
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
  if (args.output == "-") {
    write_standard_output(file);
    return;
  }
  srdiff::write_image_file(args.output, file);
  // Runs that were killed have left theirs.
  srdiff::remove_stale_temporary_files(fs::absolute(args.output).parent_path());
}

/// The arguments with the output's file where only its folder is named: the picture goes into it
/// under its own name, as with cp.
UpscaleArgs with_output_file(UpscaleArgs args) {
  std::error_code error;
  if (args.output == "-") {
    return args;
  }
  if (!fs::is_directory(args.output, error)) {
    if (!args.format.empty()) {
      throw srdiff::UsageError(args.output +
                               ": names its format by its ending; leave out --format");
    }
    if (args.output.back() == '/') {
      throw srdiff::InputError(args.output + ": cannot be written: there is no such folder");
    }
    return args;
  }
  if (args.input == "-") {
    throw srdiff::UsageError(args.output +
                             ": is a folder, and standard input has no name; name a file in it");
  }
  srdiff::WorkListOptions options;
  options.format = args.format;
  srdiff::check_format(args.format);
  args.output =
      (fs::path(args.output) / srdiff::output_name(fs::path(args.input).filename(), options))
          .string();
  if (fs::is_directory(args.output, error)) {
    throw srdiff::InputError(args.output + ": cannot be written: it is a folder");
  }
  return args;
}

srdiff::UpscaleObserver make_observer(const UpscaleArgs& args, ProgressBar& bar,
                                      WeightMapPicture* weight_map) {
  srdiff::UpscaleObserver observer;
  if (weight_map != nullptr) {
    observer.on_weight_map = [weight_map](const at::Tensor& rows, std::int64_t top) {
      weight_map->add(rows, top);
    };
  }
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
  const srdiff::TileGrid& grid = plan.passes().front().grid;
  return {{"input", srdiff::name_to_utf8(args.input)},
          {"output", srdiff::name_to_utf8(args.output)},
          {"input_size", {plan.width(), plan.height()}},
          {"output_size", {plan.output_width(), plan.output_height()}},
          {"tiles", grid.tiles()},
          {"tile_size", {grid.tile_width(), grid.tile_height()}},
          {"model", {{"name", method.manifest.name}, {"version", method.manifest.version}}},
          {"settings", to_json(method.settings)},
          {"device", args.method.device},
          {"precision", srdiff::to_string(method.precision)},
          {"threads", at::get_num_threads()},
          {"seconds", {{"load", load_seconds}, {"upscale", upscale_seconds}}}};
}

/// The output's file. The error of a picture that memory does not hold names the picture.
std::string upscaled_file(const UpscaleArgs& args, const Method& method,
                          const srdiff::Upscaler& upscaler, const srdiff::Image& input,
                          const srdiff::UpscalePlan& plan, const std::string& name,
                          ProgressBar& bar, WeightMapPicture* weight_map) {
  try {
    return upscaler.upscale_encoded(input, plan, output_ending(args), output_name(args),
                                    encode_options(args, method),
                                    make_observer(args, bar, weight_map));
  } catch (const srdiff::MemoryError& error) {
    throw srdiff::MemoryError(name + ": " + error.what(), error.code());
  }
}

/// "photo.jpg: 48 tiles of 4 evaluations"
std::string work_text(const std::string& name, const srdiff::UpscalePlan& plan) {
  const std::string all = fmt::format("{}: {}", name, srdiff::counted(plan.tiles(), "tile"));
  return plan.settings().t == 0
             ? all
             : fmt::format("{} of {}", all, srdiff::counted(plan.settings().nfe, "evaluation"));
}

/// How a picture came about, in words.
std::string way(const srdiff::UpscaleSettings& settings) {
  return settings.t == 0 ? "x_sr alone"
                         : srdiff::counted(settings.nfe, "evaluation") +
                               " from t = " + std::to_string(settings.t);
}

void tell_done(const UpscaleArgs& args, const Method& method, const srdiff::UpscalePlan& plan,
               double seconds) {
  srdiff::log::info("{}: {}x{} to {}x{} by {}, {}, {:.2f} s", args.output, plan.width(),
                    plan.height(), plan.output_width(), plan.output_height(), method.manifest.name,
                    way(method.settings), seconds);
  if (!args.save_steps.empty()) {
    srdiff::log::info("{}: the steps on the way", args.save_steps);
  }
}

UpscaleArgs with_output(UpscaleArgs args, const Variant& variant) {
  args.output = variant.output;
  return args;
}

/// The pictures to be made, with what can be known of their names checked.
std::vector<Variant> wanted_pictures(const UpscaleArgs& args) {
  const std::uint64_t seed = args.method.options.seed;
  std::vector<Variant> pictures =
      args.variants ? list_variants(args, seed) : std::vector<Variant>{{args.output, seed}};
  for (const Variant& picture : pictures) {
    check_paths(with_output(args, picture));
  }
  check_weight_map_name(args, pictures);
  check_step_names(args);
  return pictures;
}

void check_needs(const UpscaleArgs& args, const Method& method) {
  if (!args.save_weight_map.empty() && !method.settings.weight_map) {
    throw srdiff::UsageError("--save-weight-map: these settings use no weight map");
  }
  std::error_code error;
  if (fs::is_directory(args.mask, error)) {
    throw srdiff::UsageError(args.mask + ": is a folder; one picture takes the file of its mask");
  }
}

/// The mask's pixels, or nothing.
at::Tensor read_mask(const UpscaleArgs& args, const srdiff::UpscalePlan& plan) {
  if (args.mask.empty()) {
    return {};
  }
  srdiff::DecodeLimits limits = file_limits(args);
  limits.max_pixels = std::max(limits.max_pixels, plan.output_height() * plan.output_width());
  return srdiff::mask_of(srdiff::read_image(args.mask, limits));
}

void check_noise(const UpscaleArgs& args, const Method& method) {
  if (args.variants.value_or(1) > 1 && method.settings.t == 0) {
    throw srdiff::UsageError("--variants differ by their noise, and at t = 0 there is none");
  }
}

srdiff::Upscaler load_for(const UpscaleArgs& args, Method& method) {
  const srdiff::Upscaler upscaler = load_upscaler(method, needed_parts(method.settings));
  constexpr std::size_t memory = std::size_t{1} << 30;
  return args.variants ? upscaler.remembering(memory) : upscaler;
}

/// Makes a picture and writes it, with W where it is asked for. Returns the seconds that it took.
double make_picture(const UpscaleArgs& args, const Method& method, const srdiff::Upscaler& upscaler,
                    const srdiff::Image& input, const srdiff::UpscalePlan& plan,
                    const std::string& name) {
  std::optional<WeightMapPicture> weight_map;
  if (!args.save_weight_map.empty()) {
    weight_map.emplace(plan, method.manifest.scale, args.save_weight_map,
                       encode_options(args, method));
  }
  const Stopwatch watch;
  ProgressBar bar(args.quiet);
  bar.begin(fs::path(name).filename().string(), work_text(name, plan));
  const std::string file = upscaled_file(args, method, upscaler, input, plan, name, bar,
                                         weight_map ? &*weight_map : nullptr);
  bar.clear();
  write_output(args, file);
  if (weight_map) {
    weight_map->write();
  }
  const double seconds = watch.seconds();
  if (std::cout) {
    tell_done(args, method, plan, seconds);
  }
  return seconds;
}

/// What the pictures of a run took, and of each its name, seed and seconds.
struct MadePictures {
  double seconds = 0.0;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
};

/// Makes and writes all pictures of one input, which differ by their seeds; `mask` may be
/// undefined.
MadePictures make_pictures(const UpscaleArgs& args, const Method& method,
                           const srdiff::Upscaler& upscaler, const srdiff::Image& input,
                           const at::Tensor& mask, const std::vector<Variant>& pictures,
                           const std::string& name) {
  MadePictures made;
  for (const Variant& picture : pictures) {
    Method its = method;
    its.settings.seed = picture.seed;
    srdiff::UpscalePlan plan(its.manifest, its.settings, input.height(), input.width(), name);
    if (mask.defined()) {
      plan.set_mask(mask, args.mask);
    }
    UpscaleArgs its_args = with_output(args, picture);
    if (&picture != &pictures.front()) {
      its_args.save_weight_map.clear();  // it is the same for all
    }
    const double seconds = make_picture(its_args, its, upscaler, input, plan, name);
    made.seconds += seconds;
    made.list.push_back({{"output", srdiff::name_to_utf8(picture.output)},
                         {"seed", picture.seed},
                         {"seconds", seconds}});
  }
  return made;
}

}  // namespace

int upscale_file(const UpscaleArgs& typed) {
  const UpscaleArgs args = typed.variants ? typed : with_output_file(typed);
  const std::vector<Variant> pictures = wanted_pictures(args);
  args.tell_left_out();
  Input source(args);
  Method method = choose_method_for(args, source);
  check_noise(args, method);
  check_needs(args, method);
  const srdiff::DecodeLimits limits = decode_limits(args, method.manifest);
  const srdiff::DeclaredSize size = source.size(limits);
  srdiff::UpscalePlan plan(method.manifest, method.settings, size.height, size.width,
                           source.name());
  const at::Tensor mask = read_mask(args, plan);
  if (mask.defined()) {
    plan.set_mask(mask, args.mask);
  }
  check_save_steps(args, plan);
  for (const Variant& picture : pictures) {
    if (picture.output != "-") {
      check_existing(picture.output, args.folder.overwrite);
    }
  }
  if (!args.save_weight_map.empty()) {
    check_existing(args.save_weight_map, args.folder.overwrite);
  }
  const srdiff::Image input = source.decode(limits);

  const Stopwatch load_watch;
  const srdiff::Upscaler upscaler = load_for(args, method);
  const double load_seconds = load_watch.seconds();

  MadePictures made;
  try {
    made = make_pictures(args, method, upscaler, input, mask, pictures, source.name());
  } catch (const srdiff::Cancelled&) {
    if (args.save_steps.empty()) {
      throw;
    }
    srdiff::log::error("interrupted; {} was not written, and {} holds the steps up to here",
                       output_name(args), args.save_steps);
    return exit_interrupted;
  }
  if (!std::cout) {
    return exit_input_failed;  // main says why
  }
  if (args.json) {
    nlohmann::ordered_json document = report(args, plan, method, load_seconds, made.seconds);
    if (args.variants) {
      document["variants"] = made.list;
    }
    print_json(document);
  }
  return exit_ok;
}
