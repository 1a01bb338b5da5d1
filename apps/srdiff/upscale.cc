#include <ATen/Parallel.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "exit_status.h"
#include "json_output.h"
#include "progress_bar.h"
#include "quiet_stderr.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"
#include "srdiff/model.h"
#include "srdiff/upscaler.h"
#include "step_pictures.h"

namespace {

namespace fs = std::filesystem;

struct UpscaleArgs {
  std::string input;
  std::string output;
  std::string model = "faces-x8";
  std::string start = "predicted";
  std::string sampler;
  std::string grid;
  std::string device = "auto";
  std::string precision = "fp32";
  std::string save_steps;
  srdiff::UpscaleOptions options;
  bool no_weight_map = false;
  int threads = srdiff::available_processors();
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

srdiff::UpscaleOptions options_of(const UpscaleArgs& args) {
  srdiff::UpscaleOptions options = args.options;
  options.start = srdiff::parse_start(args.start);
  options.weight_map = !args.no_weight_map;
  if (!args.sampler.empty()) {
    options.sampler = srdiff::parse_sampler(args.sampler);
  }
  if (!args.grid.empty()) {
    options.grid = srdiff::parse_grid_spacing(args.grid);
  }
  return options;
}

/// A picture that is too large for the model is refused by its header: decoding takes memory.
srdiff::Image read_input(const UpscaleArgs& args, const srdiff::Manifest& manifest) {
  const std::int64_t scale = manifest.scale;
  const srdiff::DecodeLimits limits{manifest.max_output_pixels / (scale * scale)};
  std::optional<QuietStderr> quiet;
  if (!args.verbose) {
    quiet.emplace();
  }
  if (args.input != "-") {
    return srdiff::read_image(args.input, limits);
  }
  const std::string bytes((std::istreambuf_iterator<char>(std::cin)),
                          std::istreambuf_iterator<char>());
  return srdiff::decode_image(bytes, "standard input", limits);
}

void write_output(const std::string& output, const srdiff::Image& image) {
  if (output != "-") {
    srdiff::write_image(output, image);
    return;
  }
  const std::string bytes = srdiff::encode_image(image, ".png", "standard output");
  std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (!std::cout) {
    throw srdiff::InputError("standard output: cannot be written");
  }
}

/// What can be known to fail is told before a model is loaded.
void check_paths(const UpscaleArgs& args) {
  if (args.output == "-") {
    if (args.json) {
      throw srdiff::UsageError("--json and a picture cannot share standard output");
    }
    return;
  }
  srdiff::check_writable_format(args.output);
  std::error_code error;
  if (args.input != "-" && fs::equivalent(args.input, args.output, error)) {
    throw srdiff::UsageError(args.output + ": is the input itself; name another output");
  }
  if (fs::is_directory(args.output, error)) {
    throw srdiff::InputError(args.output + ": cannot be written: it is a folder");
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

nlohmann::ordered_json report(const UpscaleArgs& args, const srdiff::Image& input,
                              const srdiff::Image& output, const srdiff::Manifest& manifest,
                              const srdiff::UpscaleSettings& settings, double load_seconds,
                              double upscale_seconds) {
  return {{"input", args.input},
          {"output", args.output},
          {"input_size", {input.width(), input.height()}},
          {"output_size", {output.width(), output.height()}},
          {"model", {{"name", manifest.name}, {"version", manifest.version}}},
          {"settings", to_json(settings)},
          {"device", args.device},
          {"precision", args.precision},
          {"threads", at::get_num_threads()},
          {"seconds", {{"load", load_seconds}, {"upscale", upscale_seconds}}}};
}

/// Why a word is no seed, or nothing: CLI11 would wrap a negative one and cap a large one.
std::string seed_problem(const std::string& word) {
  std::uint64_t seed = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, seed);
  return error == std::errc() && stop == end ? "" : word + " is not in 0 to 2^64 - 1";
}

int run_upscale(const UpscaleArgs& args) {
  spdlog::set_level(args.quiet     ? spdlog::level::warn
                    : args.verbose ? spdlog::level::debug
                                   : spdlog::level::info);
  const srdiff::UpscaleOptions options = options_of(args);
  const c10::ScalarType precision = srdiff::parse_precision(args.precision);
  srdiff::set_threads(args.threads);
  const c10::Device device = srdiff::parse_device(args.device);
  const fs::path folder = srdiff::find_model(args.model);
  const srdiff::Manifest manifest = srdiff::read_manifest(folder);
  const srdiff::UpscaleSettings settings = srdiff::resolve(options, manifest);
  check_paths(args);
  const srdiff::Image input = read_input(args, manifest);

  const Stopwatch load_watch;
  const srdiff::Upscaler upscaler(srdiff::Model::load(folder, device, precision));
  const double load_seconds = load_watch.seconds();
  upscaler.check_input_size(input.height(), input.width(),
                            args.input == "-" ? "standard input" : args.input);

  const Stopwatch upscale_watch;
  ProgressBar bar(args.quiet);
  const srdiff::Image output = upscaler.upscale(input, settings, make_observer(args, bar));
  bar.clear();
  write_output(args.output, output);

  srdiff::log::info("{}: {}x{} to {}x{} by {}, {} evaluations from t = {}, {:.2f} s", args.output,
                    input.width(), input.height(), output.width(), output.height(), manifest.name,
                    settings.nfe, settings.t, upscale_watch.seconds());
  if (!args.save_steps.empty()) {
    srdiff::log::info("{}: the steps on the way", args.save_steps);
  }
  if (args.json) {
    print_json(
        report(args, input, output, manifest, settings, load_seconds, upscale_watch.seconds()));
  }
  return exit_ok;
}

}  // namespace

void add_upscale(CLI::App& app, Command& command) {
  auto args = std::make_shared<UpscaleArgs>();
  CLI::App& sub = *app.add_subcommand("upscale", "Enlarge a picture");
  sub.footer(
      "Exit status: 0 done, 1 the picture failed, 2 wrong usage, 4 model or device unusable,\n"
      "130 interrupted. Settings left out are the model's (srdiff models info MODEL); options can\n"
      "also come from a file: --config FILE, TOML with a section [upscale].");
  sub.add_option("IN", args->input, "Picture to read (PNG, JPEG, WebP, TIFF, BMP), - for stdin")
      ->required();
  sub.add_option("OUT", args->output, "Picture to write, by its ending; - for PNG on stdout")
      ->required();

  const auto method = [&sub](auto* option) { return option->group("Method"); };
  srdiff::UpscaleOptions& options = args->options;
  sub.add_option("--model", args->model, "Model name, or a folder with a / in it")
      ->capture_default_str()
      ->group("Method");
  method(sub.add_option("--start", args->start, "predicted (eq. 1), sr (W = 0), noise (SR3)"))
      ->capture_default_str();
  method(sub.add_option("--t", options.t, "Steps that remain at the start, 1 to T"));
  method(sub.add_option("--beta", options.beta, "Noise where the weight map is 0, 0 to 1"));
  method(sub.add_flag("--no-weight-map", args->no_weight_map, "W = 0 in equation 1"));
  method(sub.add_option("--sampler", args->sampler, "ddpm, ddim or dpmpp"));
  method(sub.add_option("--nfe", options.nfe, "Denoiser evaluations, 1 to t (ddpm: t)"));
  method(sub.add_option("--eta", options.eta, "DDIM's noise, 0 none to 1 as DDPM"));
  method(sub.add_option("--grid", args->grid, "uniform, quadratic or logsnr steps"));
  method(sub.add_option("--seed", options.seed, "Noise seed"))
      ->check(seed_problem, "")
      ->capture_default_str();

  const auto machine = [](auto* option) { return option->group("Machine")->capture_default_str(); };
  machine(sub.add_option("--device", args->device, "auto, cpu, cuda or cuda:N"));
  machine(sub.add_option("--precision", args->precision, "fp32, bf16 or fp16 (denoiser)"));
  machine(sub.add_option("--threads", args->threads, "Processor threads"));
  machine(sub.add_option("--batch", options.batch, "Images in one network call on a GPU"));

  const auto output = [](auto* option) { return option->group("Output"); };
  output(sub.add_option("--save-steps", args->save_steps, "Folder for x_sr, W, x_t, each x0"));
  output(sub.add_flag("--json", args->json, "Print a report on standard output"));
  output(sub.add_flag("--quiet", args->quiet, "Print warnings and errors only"));
  output(sub.add_flag("--verbose", args->verbose, "Print more"));
  sub.callback([args, &command] { command = [args] { return run_upscale(*args); }; });
}
