#include "srdiff/model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>

#include "base/sha256.h"
#include "engine/backend.h"
#include "engine/finite.h"
#include "engine/scoped_threads.h"
#include "models/default_models.h"
#include "models/model_folder.h"
#include "models/precision_choice.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "srdiff/sampler.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// Above this relative error a reduced precision counts as computed wrongly: bf16 done rightly on
/// this method's networks stays near 0.015, the known faulty kernels give 1 and more.
constexpr double max_precision_error = 0.05;

/// From this PSNR on, in dB, a reduced precision is as good as float32: 8-bit outputs of the
/// shipped models then differ by at most one level.
constexpr double min_psnr = 45.0;

constexpr NetworkFolderKind model_folders = {
    "model", models_variable, models_subfolder,
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

/// All that the time of an evaluation depends on, in words.
std::string circumstances_of(const Manifest& manifest, c10::Device device) {
  const Machine machine = this_machine();
  std::ostringstream text;
  text << "srdiff " SRDIFF_VERSION ", LibTorch " << machine.libtorch << ", " << machine.processor
       << " (" << machine.instruction_set << ")"
       << ", " << device.str() << ", " << at::get_num_threads() << " threads, denoiser "
       << manifest.denoiser.sha256;
  return text.str();
}

}  // namespace

fs::path find_model(const std::string& name) {
  return find_network_folder(model_folders, name);
}

std::vector<fs::path> list_models() {
  return list_network_folders(model_folders);
}

FoundModel find_and_read_model(const std::string& name) {
  fs::path folder = find_model(name);
  Manifest manifest = read_manifest(folder);
  return {name, std::move(folder), std::move(manifest)};
}

DefaultModels::DefaultModels() {
  try {
    find_model(model_of_faces);
  } catch (const ModelError&) {
    return;
  }
  faces_ = find_and_read_model(model_of_faces);
}

const FoundModel& DefaultModels::for_size(std::int64_t height, std::int64_t width) {
  if (faces_) {
    const Manifest& manifest = faces_->manifest;
    if (std::max(height, width) <= manifest.native_size / manifest.scale) {
      return *faces_;
    }
  }
  if (!photographs_) {
    photographs_ = find_and_read_model(model_of_photographs);
  }
  return *photographs_;
}

void verify_files(const fs::path& folder, const Manifest& manifest) {
  for (const NetworkFile& file : files_of(manifest)) {
    read_verified(folder, file);
  }
}

struct Model::SharedNetwork {
  std::mutex mutex;
  Network network;
};

Model::Model(fs::path folder, Manifest manifest, c10::Device device, NetworkTrust trust)
    : folder_(std::move(folder)),
      manifest_(std::move(manifest)),
      schedule_(Schedule::linear(manifest_.T, manifest_.beta_start, manifest_.beta_end)),
      float32_denoiser_(std::make_shared<SharedNetwork>()),
      device_(device),
      trust_(trust) {}

Model Model::load(const fs::path& folder, c10::Device device, c10::ScalarType precision,
                  NetworkTrust trust) {
  return load(folder, read_manifest(folder), device, precision, {}, trust);
}

Model Model::load(const fs::path& folder, Manifest manifest, c10::Device device,
                  c10::ScalarType precision, ModelParts parts, NetworkTrust trust) {
  if (!backend_for(device).computes(precision)) {
    throw ModelError(to_string(precision) + " is not computed on the CPU",
                     ErrorCode::half_precision_on_cpu);
  }
  Model model(folder, std::move(manifest), device, trust);
  const Network reference = model.load_networks(parts.denoiser ? precision : c10::kFloat, parts);
  if (reference.defined()) {
    model.check_precision(reference);
  }
  return model;
}

Model Model::load_fastest(const fs::path& folder, Manifest manifest, c10::Device device,
                          ModelParts parts, NetworkTrust trust, const fs::path& choices_file) {
  if (!parts.denoiser || !backend_for(device).has_fast_bf16()) {
    return load(folder, std::move(manifest), device, c10::kFloat, parts, trust);
  }
  PrecisionChoices choices(choices_file);
  const std::string circumstances = circumstances_of(manifest, device);
  if (const auto known = choices.find(circumstances)) {
    log::debug("{}: {} is taken, which was the fastest here before", manifest.name,
               to_string(*known));
    return load(folder, std::move(manifest), device, *known, parts, trust);
  }
  Model model(folder, std::move(manifest), device, trust);
  Network reference = model.load_networks(c10::kBFloat16, parts);
  if (!model.is_as_good_as(reference) || !model.is_faster_than(reference)) {
    model.denoiser_ = std::move(reference);
    model.precision_ = c10::kFloat;
  }
  choices.remember(circumstances, model.precision_);
  return model;
}

bool Model::is_as_good_as(const Network& reference) const {
  const SamplerOptions options{SamplerKind::ddim, manifest_.parameterisation};
  const ReverseSteps step(schedule_, {manifest_.defaults.t, 0}, options);
  const at::Tensor x_t = test_image(test_side());
  const at::Tensor exact = step.x0(0, x_t, test_evaluation(reference, test_side()));
  const at::Tensor reduced = step.x0(0, x_t, test_evaluation(denoiser_, test_side()));
  const auto mse = (reduced - exact).square().mean().item<double>();
  constexpr double square_of_range = 4.0;
  const bool is_good = mse <= square_of_range * std::pow(10.0, -min_psnr / 10.0);
  if (!is_good) {
    log::debug("{}: bf16 differs from fp32 by a mean squared {} on one evaluation: fp32 is taken",
               manifest_.name, mse);
  }
  return is_good;
}

bool Model::is_faster_than(const Network& reference) const {
  // Of a size that people meet, and small enough for a fraction of a second.
  constexpr std::int64_t largest_side = 128;
  const std::int64_t multiple = test_side();
  const std::int64_t side = std::max(
      std::min<std::int64_t>(manifest_.native_size, largest_side) / multiple * multiple, multiple);
  const auto seconds = [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  };
  const double share = share_of_time([&] { test_evaluation(denoiser_, side); },
                                     [&] { test_evaluation(reference, side); }, seconds);
  const bool is_faster = share <= max_share_of_time;
  log::debug("{}: an evaluation in bf16 takes {:.2f} of the time in fp32: {} is taken",
             manifest_.name, share, is_faster ? "bf16" : "fp32");
  return is_faster;
}

Network Model::load_network(const NetworkFile& file, c10::ScalarType precision) const {
  return Network::from_bytes(read_verified(folder_, file).bytes(), (folder_ / file.path).string(),
                             device_, precision, trust_);
}

Model Model::in_float32() const {
  Model exact = *this;
  if (precision_ != c10::kFloat) {
    const std::lock_guard lock(float32_denoiser_->mutex);
    Network& network = float32_denoiser_->network;
    if (!network.defined()) {
      log::warn("{}: {} gave values that are not finite; such pictures are made in fp32",
                manifest_.name, to_string(precision_));
      network = load_network(manifest_.denoiser, c10::kFloat);
    }
    exact.denoiser_ = network;
    exact.precision_ = c10::kFloat;
  }
  return exact;
}

Network Model::load_networks(c10::ScalarType precision, ModelParts parts) {
  // Where LibTorch brings its own OpenMP, the threads below may change this one's count.
  std::optional<ScopedThreads> kept(at::get_num_threads());
  // Reading a network's code takes as long as many evaluations, so that the networks are read side
  // by side; where the system gives no more threads, `get` reads them one after the other.
  const auto start = [this](const std::optional<NetworkFile>& file) {
    return std::async(std::launch::async | std::launch::deferred, [this, file] {
      const ScopedThreads one(1);
      return file ? load_network(*file, c10::kFloat) : Network();
    });
  };
  std::future<Network> regressor = start(manifest_.regressor);
  std::future<Network> weight_map = start(parts.weight_map ? manifest_.weight_map : std::nullopt);
  std::future<Network> reference =
      start(precision == c10::kFloat ? std::nullopt : std::optional(manifest_.denoiser));
  if (parts.denoiser) {
    denoiser_ = load_network(manifest_.denoiser, precision);
  }
  regressor_ = regressor.get();
  weight_map_ = weight_map.get();
  Network exact = reference.get();
  kept.reset();
  precision_ = precision;
  measure_device_memory();
  log::debug("loaded {} {} from {}", manifest_.name, manifest_.version, folder_.string());
  return exact;
}

std::int64_t Model::test_side() const {
  return std::int64_t{manifest_.size_multiple} * manifest_.scale;
}

void Model::check_networks() const {
  check_networks(1);
}

void Model::check_networks(std::int64_t images) const {
  at::Tensor image = test_image(test_side()).repeat({images, 1, 1, 1});
  if (has_regressor()) {
    const std::int64_t low = manifest_.size_multiple;
    image = regressor_output(at::zeros({images, 3, low, low}));
    require_finite(*manifest_.regressor, "regressor", image);
  }
  if (has_weight_map()) {
    require_finite(*manifest_.weight_map, "weight map", weight_map_output(image));
  }
  if (has_denoiser()) {
    require_finite(manifest_.denoiser, "denoiser", denoise(image, image, manifest_.defaults.t));
  }
}

std::string Model::name_of(const NetworkFile& file, const char* what) const {
  return (folder_ / file.path).string() + ": the " + what;
}

at::Tensor Model::of_shape(at::IntArrayRef expected, const at::Tensor& output,
                           const NetworkFile& file, const char* what) const {
  if (output.sizes() != expected) {
    std::ostringstream text;
    text << name_of(file, what) << " gave " << output.sizes() << " where the manifest promises "
         << expected;
    throw ModelError(text.str());
  }
  return output;
}

at::Tensor Model::regressor_output(const at::Tensor& lr) const {
  return of_shape({lr.size(0), 3, lr.size(2) * manifest_.scale, lr.size(3) * manifest_.scale},
                  regressor_({lr}), *manifest_.regressor, "regressor");
}

at::Tensor Model::weight_map_output(const at::Tensor& x_sr) const {
  return of_shape({x_sr.size(0), manifest_.weight_map_channels, x_sr.size(2), x_sr.size(3)},
                  weight_map_({x_sr}), *manifest_.weight_map, "weight map");
}

void Model::require_finite(const NetworkFile& file, const char* what,
                           const at::Tensor& output) const {
  if (!is_finite(output)) {
    throw ModelError(name_of(file, what) + " gave values that are not finite");
  }
}

/// Measures what a call of each network holds against what is free on a device with memory of its
/// own.
void Model::measure_device_memory() {
  const Backend& backend = backend_for(device_);
  if (!backend.free_memory()) {
    return;
  }
  // No picture has the sizes of these calls: recording them or searching kernels would be wasted.
  const OneOffCalls one_off;
  const auto peak = [&](std::int64_t images) {
    check_networks(
        images);  // a first call, after which libraries keep memory that belongs to no picture
    return backend.peak_memory([&] { check_networks(images); });
  };
  // An image's memory is the difference of two calls; most of what a small call holds does not
  // depend on its images.
  constexpr std::int64_t few = 1;
  constexpr std::int64_t many = 17;
  const std::int64_t of_few = peak(few);
  const std::int64_t each = std::max<std::int64_t>((peak(many) - of_few) / (many - few), 1);
  constexpr std::int64_t share =
      2;  // half of what is free, since other programs use the device too
  const std::int64_t room = *backend.free_memory() / share - std::max(of_few - each, {});
  device_pixels_ = std::max<std::int64_t>(room, 0) / each * (test_side() * test_side());
}

/// A fixed smooth pattern [1,3,side,side]; a faulty kernel shows on any input.
at::Tensor Model::test_image(std::int64_t side) const {
  return at::linspace(-1.0, 1.0, 3 * side * side).mul(40.0).sin().reshape({1, 3, side, side});
}

/// The output of a denoiser for the test image at the recommended t.
at::Tensor Model::test_evaluation(const Network& denoiser, std::int64_t side) const {
  const OneOffCalls one_off;
  const at::Tensor x = test_image(side);
  return denoiser({x, x, at::full({1}, schedule_.noise_level(manifest_.defaults.t))}).to(at::kCPU);
}

void Model::check_precision(const Network& reference) const {
  const at::Tensor expected = test_evaluation(reference, test_side());
  const at::Tensor measured = test_evaluation(denoiser_, test_side());
  const auto error =
      ((measured - expected).norm() / expected.norm().clamp_min(1e-6)).item<double>();
  if (!(error < max_precision_error)) {
    std::ostringstream text;
    text << manifest_.name << ": this LibTorch computes the reduced precision wrongly here "
         << "(relative error " << error << " on one evaluation)";
    throw ModelError(text.str(), ErrorCode::precision_computed_wrongly);
  }
}

void Model::drop_recordings() const {
  for (const Network* network : {&regressor_, &weight_map_, &denoiser_}) {
    if (network->defined()) {
      network->drop_recordings();
    }
  }
}

at::Tensor Model::regress(const at::Tensor& lr) const {
  if (!has_regressor()) {
    throw ModelError(manifest_.name + ": has no regressor", ErrorCode::regressor_missing);
  }
  return regressor_output(lr).clamp(-1.0, 1.0);
}

at::Tensor Model::weigh(const at::Tensor& x_sr) const {
  if (!has_weight_map()) {
    throw manifest_.weight_map
        ? ModelError(manifest_.name + ": its weight map is not loaded")
        : ModelError(manifest_.name + ": has no weight map", ErrorCode::weight_map_missing);
  }
  return weight_map_output(x_sr).clamp(0.0, 1.0);
}

at::Tensor Model::denoise(const at::Tensor& condition, const at::Tensor& x_t, int t) const {
  if (!has_denoiser()) {
    throw ModelError(manifest_.name + ": its denoiser is not loaded");
  }
  const at::Tensor level = at::full({x_t.size(0)}, schedule_.noise_level(t), at::kFloat);
  return of_shape(x_t.sizes(), denoiser_({condition, x_t, level}), manifest_.denoiser, "denoiser");
}

}  // namespace srdiff
