#include "srdiff/model.h"

#include <ATen/ATen.h>

#include <sstream>
#include <utility>

#include "network_folder.h"
#include "sha256.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Above this relative error a reduced precision counts as computed wrongly: bf16 done rightly on
/// this method's networks stays near 0.015, the known faulty kernels give 1 and more.
constexpr double max_precision_error = 0.05;

constexpr NetworkFolderKind model_folders = {
    "model", "SRDIFF_MODELS", "models",
    "name one of `srdiff models list`, or a folder with a '/' in it"};

ModelDefaults read_defaults(const JsonFields& fields, int T) {
  ModelDefaults defaults;
  defaults.t = fields.in_range("t", 1, T);
  defaults.beta = fields.in_range("beta", 0.0, 1.0);
  defaults.nfe = fields.in_range("nfe", 1, defaults.t);
  defaults.eta = fields.optional("eta", 0.0);
  defaults.sampler = parse_sampler(fields.required<std::string>("sampler"));
  defaults.grid = parse_grid_spacing(fields.optional<std::string>("grid", "uniform"));
  return defaults;
}

Manifest parse_manifest(const json& document, const std::string& where) {
  const JsonFields root(document, where);
  root.expect<int>("format", 1);
  root.expect<std::string>("conditioning", "sqrt_alpha_bar");
  root.expect<std::vector<double>>("value_range", {-1.0, 1.0});

  Manifest manifest;
  manifest.name = root.required<std::string>("name");
  manifest.version = root.required<std::string>("version");
  manifest.task = root.optional<std::string>("task", "");
  manifest.description = root.optional<std::string>("description", "");
  manifest.scale = root.in_range("scale", 1, 64);
  manifest.native_size = root.in_range("native_size", 1, 65536);
  manifest.size_multiple = root.in_range("size_multiple", 1, 1024);
  manifest.max_output_pixels =
      root.in_range<std::int64_t>("max_output_pixels", 1, std::int64_t{1} << 40);
  manifest.weight_map_channels = root.optional("weight_map_channels", 1);
  manifest.parameterisation =
      parse_parameterisation(root.required<std::string>("parameterisation"));

  const JsonFields schedule = root.object("schedule");
  schedule.expect<std::string>("kind", "linear");
  manifest.T = schedule.in_range("T", 1, 1000000);
  manifest.beta_start = schedule.required<double>("beta_start");
  manifest.beta_end = schedule.required<double>("beta_end");
  Schedule::linear(manifest.T, manifest.beta_start, manifest.beta_end);  // throws on a bad range

  const JsonFields files = root.object("files");
  manifest.regressor = read_network_file(files, "regressor");
  manifest.weight_map = read_network_file(files, "weight_map");
  const std::optional<NetworkFile> denoiser = read_network_file(files, "denoiser");
  if (!denoiser) {
    throw ModelError(where + ": files: the field 'denoiser' is missing");
  }
  manifest.denoiser = *denoiser;
  manifest.defaults = read_defaults(root.object("defaults"), manifest.T);
  if (root.has("training")) {
    const JsonFields training = root.object("training");
    manifest.training_data = training.optional<std::string>("data", "");
    manifest.licence = training.optional<std::string>("licence", "");
  }
  return manifest;
}

std::vector<NetworkFile> files_of(const Manifest& manifest) {
  std::vector<NetworkFile> files;
  for (const auto& file : {manifest.regressor, manifest.weight_map}) {
    if (file) {
      files.push_back(*file);
    }
  }
  files.push_back(manifest.denoiser);
  return files;
}

std::string shape(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

void require_shape(const std::string& what, const at::Tensor& result, at::IntArrayRef expected) {
  if (result.sizes() != expected) {
    std::ostringstream text;
    text << what << " gave " << shape(result) << " where the manifest promises " << expected;
    throw ModelError(text.str());
  }
}

void require_finite(const std::string& what, const at::Tensor& result) {
  if (!at::isfinite(result).all().item<bool>()) {
    throw ModelError(what + " gave values that are not finite");
  }
}

}  // namespace

std::int64_t Manifest::max_input_pixels() const {
  return max_output_pixels / (std::int64_t{scale} * scale);
}

Manifest read_manifest(const fs::path& folder) {
  Manifest manifest;
  parse_network_manifest(folder, [&](const json& document, const std::string& where) {
    manifest = parse_manifest(document, where);
    manifest.sha256 = sha256_hex(document.dump());
  });
  return manifest;
}

fs::path find_model(const std::string& name) {
  return find_network_folder(model_folders, name);
}

std::vector<fs::path> list_models() {
  return list_network_folders(model_folders);
}

void verify_files(const fs::path& folder, const Manifest& manifest) {
  for (const NetworkFile& file : files_of(manifest)) {
    read_verified(folder, file);
  }
}

Model::Model(Manifest manifest)
    : manifest_(std::move(manifest)),
      schedule_(Schedule::linear(manifest_.T, manifest_.beta_start, manifest_.beta_end)) {}

Model Model::load(const fs::path& folder, c10::Device device, c10::ScalarType precision) {
  return load(folder, read_manifest(folder), device, precision);
}

Model Model::load(const fs::path& folder, Manifest manifest, c10::Device device,
                  c10::ScalarType precision) {
  if (precision == c10::kHalf && device.is_cpu()) {
    throw ModelError("fp16 is not computed on the CPU; use --precision bf16 or fp32");
  }
  Model model(std::move(manifest));
  model.device_ = device;
  const auto load = [&](const NetworkFile& file, c10::ScalarType type) {
    return Network::from_bytes(read_verified(folder, file), (folder / file.path).string(), device,
                               type);
  };
  if (model.manifest_.regressor) {
    model.regressor_ = load(*model.manifest_.regressor, c10::kFloat);
  }
  if (model.manifest_.weight_map) {
    model.weight_map_ = load(*model.manifest_.weight_map, c10::kFloat);
  }
  model.denoiser_ = load(model.manifest_.denoiser, precision);
  model.check_networks(folder);
  if (precision != c10::kFloat) {
    model.check_precision(load(model.manifest_.denoiser, c10::kFloat));
  }
  log::debug("loaded {} {} from {}", model.manifest_.name, model.manifest_.version,
             folder.string());
  return model;
}

void Model::check_networks(const fs::path& folder) const {
  const std::int64_t side = manifest_.size_multiple;
  const std::int64_t large = side * manifest_.scale;
  const auto file = [&](const NetworkFile& network) { return (folder / network.path).string(); };
  at::Tensor image = at::zeros({1, 3, large, large}, at::TensorOptions().device(device_));
  if (has_regressor()) {
    const std::string what = file(*manifest_.regressor) + ": the regressor";
    image = regressor_({at::zeros({1, 3, side, side})});
    require_shape(what, image, {1, 3, large, large});
    require_finite(what, image);
  }
  if (has_weight_map()) {
    const std::string what = file(*manifest_.weight_map) + ": the weight map";
    const at::Tensor map = weight_map_({image});
    require_shape(what, map, {1, manifest_.weight_map_channels, large, large});
    require_finite(what, map);
  }
  const at::Tensor output = denoise(image, image, manifest_.defaults.t);
  const std::string what = file(manifest_.denoiser) + ": the denoiser";
  require_shape(what, output, {1, 3, large, large});
  require_finite(what, output);
}

void Model::check_precision(const Network& reference) const {
  const std::int64_t side = std::int64_t{manifest_.size_multiple} * manifest_.scale;
  // A fixed smooth pattern: any input shows a faulty kernel, and this one needs no generator.
  const at::Tensor x =
      at::linspace(-1.0, 1.0, 3 * side * side).mul(40.0).sin().reshape({1, 3, side, side});
  const at::Tensor level = at::full({1}, schedule_.noise_level(manifest_.defaults.t));
  const at::Tensor expected = reference({x, x, level});
  const at::Tensor measured = denoiser_({x, x, level});
  const auto error =
      ((measured - expected).norm() / expected.norm().clamp_min(1e-6)).item<double>();
  if (!(error < max_precision_error)) {
    std::ostringstream text;
    text << manifest_.name << ": this LibTorch computes the reduced precision wrongly here "
         << "(relative error " << error << " on one evaluation); use --precision fp32";
    throw ModelError(text.str());
  }
}

at::Tensor Model::regress(const at::Tensor& lr) const {
  if (!has_regressor()) {
    throw ModelError(manifest_.name + ": has no regressor; only --start noise runs without one");
  }
  return regressor_({lr}).clamp(-1.0, 1.0);
}

at::Tensor Model::weigh(const at::Tensor& x_sr) const {
  if (!has_weight_map()) {
    throw ModelError(manifest_.name + ": has no weight map; use --no-weight-map");
  }
  return weight_map_({x_sr}).clamp(0.0, 1.0);
}

at::Tensor Model::denoise(const at::Tensor& condition, const at::Tensor& x_t, int t) const {
  const at::Tensor level = at::full({x_t.size(0)}, schedule_.noise_level(t));
  return denoiser_({condition, x_t, level});
}

}  // namespace srdiff
