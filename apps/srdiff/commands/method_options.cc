#include "commands/method_options.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "base/parse_number.h"
#include "srdiff/error.h"

namespace {

std::optional<int> parse_count(const std::string& what, const std::string& word) {
  if (word == "auto") {
    return std::nullopt;
  }
  const std::optional<int> count = srdiff::parse_number<int>(word);
  if (!count) {
    throw srdiff::UsageError("the " + what + " '" + word + "' is not known; give auto or a number");
  }
  return count;
}

/// Why a word is no seed, or nothing: CLI11 would wrap a negative one and cap a large one.
std::string seed_problem(const std::string& word) {
  return srdiff::parse_number<std::uint64_t>(word) ? "" : word + " is not in 0 to 2^64 - 1";
}

srdiff::UpscaleOptions upscale_options(const MethodArgs& args) {
  srdiff::UpscaleOptions options = args.options;
  options.start = srdiff::parse_start(args.start);
  options.weight_map = !args.no_weight_map;
  options.batch = parse_count("batch", args.batch);
  options.tile = parse_count("tile", args.tile);
  if (!args.color_fix.empty()) {
    options.color_fix = srdiff::parse_color_fix(args.color_fix);
  }
  if (!args.sampler.empty()) {
    options.sampler = srdiff::parse_sampler(args.sampler);
  }
  if (!args.grid.empty()) {
    options.grid = srdiff::parse_grid_spacing(args.grid);
  }
  return options;
}

}  // namespace

void add_method_options(CLI::App& sub, MethodArgs& args) {
  const auto method = [](auto* option) { return option->group("Method"); };
  const auto more = [](auto* option) { return option->group("Method, more"); };
  srdiff::UpscaleOptions& options = args.options;
  method(sub.add_option("--model", args.model, "Model name, or a folder with a / in it"))
      ->capture_default_str();
  more(sub.add_option("--start", args.start, "predicted (eq. 1), sr (W = 0), noise (SR3)"))
      ->capture_default_str();
  method(sub.add_option("--t", options.t, "Steps that remain at the start, 1 to T"));
  method(sub.add_option("--beta", options.beta, "Noise where the weight map is 0, 0 to 1"));
  more(sub.add_flag("--no-weight-map", args.no_weight_map, "W = 0 in equation 1"));
  method(sub.add_option("--sampler", args.sampler, "ddpm, ddim or dpmpp"));
  method(sub.add_option("--nfe", options.nfe, "Denoiser evaluations, 1 to t (ddpm: t)"));
  more(sub.add_option("--eta", options.eta, "DDIM's noise, 0 none to 1 as DDPM"));
  more(sub.add_option("--grid", args.grid, "uniform, quadratic or logsnr steps"));
  more(sub.add_option("--color-fix", args.color_fix,
                      "consistency: colours and low frequencies are the input's; or none"));
  more(sub.add_option("--tile", args.tile,
                      "Side of a tile in input pixels, 0 for none, or auto: the model's"))
      ->capture_default_str();
  more(sub.add_option("--tile-overlap", options.tile_overlap,
                      "Input pixels that neighbouring tiles share"));
  method(sub.add_option("--seed", options.seed, "Noise seed"))
      ->check(seed_problem, "")
      ->capture_default_str();

  add_machine_options(sub, args);
}

void add_machine_options(CLI::App& sub, MethodArgs& args) {
  const auto machine = [](auto* option) { return option->group("Machine")->capture_default_str(); };
  const auto machine_more = [](auto* option) {
    return option->group("Machine, more")->capture_default_str();
  };
  machine(sub.add_option("--device", args.device, "auto, cpu, cuda or cuda:N"));
  machine_more(sub.add_option("--precision", args.precision,
                              "fp32, bf16 or (GPU) fp16 (denoiser), or auto: the\n"
                              "fastest that gives fp32's pictures"));
  machine(sub.add_option("--threads", args.threads, "Processor threads"));
  machine_more(sub.add_option("--batch", args.batch,
                              "Images or tiles in one network call on a GPU, or auto"));
}

Method choose_method(const MethodArgs& args) {
  const srdiff::UpscaleOptions options = upscale_options(args);
  const bool any_precision = args.precision == "auto";
  const c10::ScalarType precision =
      any_precision ? c10::kFloat : srdiff::parse_precision(args.precision);
  srdiff::set_threads(args.threads);
  srdiff::use_activation_pool();
  const c10::Device device = srdiff::parse_device(args.device);
  std::filesystem::path folder = srdiff::find_model(args.model);
  srdiff::Manifest manifest = srdiff::read_manifest(folder);
  const srdiff::UpscaleSettings settings = srdiff::resolve_settings(options, manifest);
  return {std::move(folder), std::move(manifest), settings, device, precision, any_precision};
}

srdiff::Upscaler load_upscaler(Method& method) {
  if (method.any_precision) {
    srdiff::Upscaler upscaler(
        srdiff::Model::load_fastest(method.folder, method.manifest, method.device));
    method.precision = upscaler.model().precision();
    return upscaler;
  }
  return srdiff::Upscaler(
      srdiff::Model::load(method.folder, method.manifest, method.device, method.precision));
}
