#include "srdiff/model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "file_bytes.h"
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

/// Reads fields of one JSON object and names the field when one is missing or of the wrong type.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) {
      throw ModelError(where_ + ": must be a JSON object");
    }
  }

  template <typename Value>
  Value required(const char* key) const {
    if (!object_.contains(key)) {
      throw ModelError(where_ + ": the field '" + key + "' is missing");
    }
    return convert<Value>(key);
  }

  template <typename Value>
  Value optional(const char* key, Value fallback) const {
    return object_.contains(key) ? convert<Value>(key) : fallback;
  }

  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  Fields object(const char* key) const { return {object_.value(key, json()), where_ + ": " + key}; }

  /// Requires a field to lie in [low, high].
  template <typename Value>
  Value in_range(const char* key, Value low, Value high) const {
    const auto value = required<Value>(key);
    if (!(value >= low && value <= high)) {
      std::ostringstream text;
      text << where_ << ": '" << key << "' is " << value << ", outside " << low << " to " << high;
      throw ModelError(text.str());
    }
    return value;
  }

  /// Requires a field to say the one thing that this version understands.
  template <typename Value>
  void expect(const char* key, const Value& value) const {
    if (required<Value>(key) != value) {
      throw ModelError(where_ + ": '" + key + "' is not " + json(value).dump() +
                       ", which is all that this version of srdiff runs");
    }
  }

 private:
  template <typename Value>
  Value convert(const char* key) const {
    try {
      return object_.at(key).get<Value>();
    } catch (const json::exception&) {
      throw ModelError(where_ + ": the field '" + key + "' has the wrong type");
    }
  }

  json object_;
  std::string where_;
};

std::optional<ModelFile> read_model_file(const Fields& files, const char* key) {
  if (!files.has(key)) {
    return std::nullopt;
  }
  const Fields file = files.object(key);
  ModelFile result{file.required<std::string>("path"), file.required<std::string>("sha256")};
  const fs::path path(result.path);
  if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end()) {
    throw ModelError("the model file '" + result.path + "' must lie inside the model's folder");
  }
  return result;
}

ModelDefaults read_defaults(const Fields& fields, int T) {
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
  const Fields root(document, where);
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

  const Fields schedule = root.object("schedule");
  schedule.expect<std::string>("kind", "linear");
  manifest.T = schedule.in_range("T", 1, 1000000);
  manifest.beta_start = schedule.required<double>("beta_start");
  manifest.beta_end = schedule.required<double>("beta_end");
  Schedule::linear(manifest.T, manifest.beta_start, manifest.beta_end);  // throws on a bad range

  const Fields files = root.object("files");
  manifest.regressor = read_model_file(files, "regressor");
  manifest.weight_map = read_model_file(files, "weight_map");
  const std::optional<ModelFile> denoiser = read_model_file(files, "denoiser");
  if (!denoiser) {
    throw ModelError(where + ": files: the field 'denoiser' is missing");
  }
  manifest.denoiser = *denoiser;
  manifest.defaults = read_defaults(root.object("defaults"), manifest.T);
  if (root.has("training")) {
    const Fields training = root.object("training");
    manifest.training_data = training.optional<std::string>("data", "");
    manifest.licence = training.optional<std::string>("licence", "");
  }
  return manifest;
}

/// The file's bytes, once their hash is the manifest's.
std::string read_verified(const fs::path& folder, const ModelFile& file) {
  const fs::path path = folder / file.path;
  std::string bytes;
  try {
    bytes = read_file(path);
  } catch (const InputError& error) {
    throw ModelError(error.what());
  }
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  if (hash.hex() != file.sha256) {
    throw ModelError(path.string() +
                     ": damaged: its SHA-256 is not the manifest's; fetch the model again");
  }
  return bytes;
}

std::vector<ModelFile> files_of(const Manifest& manifest) {
  std::vector<ModelFile> files;
  for (const auto& file : {manifest.regressor, manifest.weight_map}) {
    if (file) {
      files.push_back(*file);
    }
  }
  files.push_back(manifest.denoiser);
  return files;
}

/// Without duplicates: an installed tool's own folder is often the library's too.
std::vector<fs::path> model_places() {
  std::vector<fs::path> places;
  const auto add = [&places](const fs::path& place) {
    if (std::find(places.begin(), places.end(), place) == places.end()) {
      places.push_back(place);
    }
  };
  if (const char* variable = std::getenv("SRDIFF_MODELS")) {  // NOLINT(concurrency-mt-unsafe)
    std::istringstream list(variable);
    std::string place;
    while (std::getline(list, place, ':')) {
      if (!place.empty()) {
        add(place);
      }
    }
  }
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    add(executable.parent_path().parent_path() / "share/srdiff/models");
  }
  add(SRDIFF_INSTALLED_MODELS);
  add(SRDIFF_SOURCE_MODELS);
  return places;
}

bool is_model(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "manifest.json", error);
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

Manifest read_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  try {
    return parse_manifest(json::parse(read_file(path)), path.string());
  } catch (const json::exception&) {
    throw ModelError(path.string() + ": is not valid JSON");
  } catch (const InputError& error) {
    throw ModelError(error.what());
  } catch (const UsageError& error) {
    throw ModelError(path.string() + ": " + error.what());
  }
}

fs::path find_model(const std::string& name) {
  if (name.empty()) {
    throw ModelError("the model's name is empty; `srdiff models list` shows those there are");
  }
  if (name.find('/') != std::string::npos) {
    if (!is_model(name)) {
      throw ModelError(name + ": is no model folder (it has no manifest.json)");
    }
    return name;
  }
  std::string places;
  for (const fs::path& place : model_places()) {
    if (is_model(place / name)) {
      return place / name;
    }
    places += (places.empty() ? "" : ", ") + place.string();
  }
  throw ModelError("there is no model '" + name + "' in " + places +
                   "; name one of `srdiff models list`, or a folder with a '/' in it");
}

std::vector<fs::path> list_models() {
  std::map<std::string, fs::path> models;
  for (const fs::path& place : model_places()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      if (is_model(entry.path())) {
        models.emplace(entry.path().filename().string(), entry.path());
      }
    }
  }
  std::vector<fs::path> folders;
  folders.reserve(models.size());
  for (auto& [name, folder] : models) {
    folders.push_back(std::move(folder));
  }
  return folders;
}

void verify_files(const fs::path& folder, const Manifest& manifest) {
  for (const ModelFile& file : files_of(manifest)) {
    read_verified(folder, file);
  }
}

Model::Model(Manifest manifest)
    : manifest_(std::move(manifest)),
      schedule_(Schedule::linear(manifest_.T, manifest_.beta_start, manifest_.beta_end)) {}

Model Model::load(const fs::path& folder, c10::Device device, c10::ScalarType precision) {
  if (precision == c10::kHalf && device.is_cpu()) {
    throw ModelError("fp16 is not computed on the CPU; use --precision bf16 or fp32");
  }
  Model model(read_manifest(folder));
  model.device_ = device;
  const auto load = [&](const ModelFile& file, c10::ScalarType type) {
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
  const auto file = [&](const ModelFile& network) { return (folder / network.path).string(); };
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
