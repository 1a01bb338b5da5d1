#include "srdiff/model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "network_folder.h"
#include "sha256.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// Above this relative error a reduced precision counts as computed wrongly: bf16 done rightly on
/// this method's networks stays near 0.015, the known faulty kernels give 1 and more.
constexpr double max_precision_error = 0.05;

constexpr NetworkFolderKind model_folders = {
    "model", "SRDIFF_MODELS", "models",
    "name one of `srdiff models list`, or a folder with a '/' in it"};

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

fs::path find_model(const std::string& name) {
  return find_network_folder(model_folders, name);
}

std::vector<fs::path> list_models() {
  return list_network_folders(model_folders);
}

std::string default_model(std::int64_t height, std::int64_t width) {
  std::string faces = "faces-x8";
  std::string photographs = "photos-x4";
  fs::path folder;
  try {
    folder = find_model(faces);
  } catch (const ModelError&) {
    return photographs;
  }
  const Manifest manifest = read_manifest(folder);
  return std::max(height, width) <= manifest.native_size / manifest.scale ? faces : photographs;
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
