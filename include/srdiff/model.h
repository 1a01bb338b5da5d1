#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "srdiff/manifest.h"
#include "srdiff/network.h"
#include "srdiff/schedule.h"

namespace srdiff {

/// Where a model named on the command line is: a NAME with a '/' is a folder as given; any other
/// is looked for in $SRDIFF_MODELS (folders separated by ':'), in ../share/srdiff/models beside
/// the executable, in the installed library's data folder, and, by a program that runs from its
/// build folder, in the source tree. The working directory is not looked at. Throws ModelError
/// naming the places.
std::filesystem::path find_model(const std::string& name);

/// The folders of find_model that hold a manifest.json, each name once, the first found, sorted.
std::vector<std::filesystem::path> list_models();

/// A model's folder, and what its manifest says.
struct FoundModel {
  std::string name;
  std::filesystem::path folder;
  Manifest manifest;
};

/// find_model and read_manifest. Throws ModelError.
FoundModel find_and_read_model(const std::string& name);

/// The models for pictures when the user names none. Each manifest is read once at most.
class DefaultModels {
 public:
  /// Throws ModelError when the manifest of the model of faces is broken.
  DefaultModels();

  /// The model for a picture of this size: that of faces for a picture no larger than its native
  /// input (native_size / scale, both sides); that of photographs for any other, or when there is
  /// no model of faces. The reference stays as long as this object. Throws ModelError when there is
  /// no model of photographs, or its manifest is broken.
  const FoundModel& for_size(std::int64_t height, std::int64_t width);

 private:
  std::optional<FoundModel> faces_;
  std::optional<FoundModel> photographs_;
};

/// Compares each file of the folder with its SHA-256. Throws ModelError naming the first that is
/// missing or differs.
void verify_files(const std::filesystem::path& folder, const Manifest& manifest);

/// Which networks of a folder are loaded, besides the regressor.
struct ModelParts {
  bool weight_map = true;
  bool denoiser = true;
};

/// The three networks of the method with their schedule, ready to run.
class Model {
 public:
  /// Loads a folder: manifest, hashes, networks. The shape of what a network gives is compared with
  /// the manifest on every call; `check_networks` makes one of each.
  /// `precision` is the denoiser's arithmetic; the other networks run once an image and stay in
  /// float32. A reduced precision is compared with float32 on one evaluation and refused where this
  /// LibTorch computes it wrongly. Without the denoiser `precision()` is float32. `trust` says
  /// whether the networks' files are looked into before. Throws ModelError naming file and reason.
  static Model load(const std::filesystem::path& folder, c10::Device device = c10::kCPU,
                    c10::ScalarType precision = c10::kFloat,
                    NetworkTrust trust = NetworkTrust::checked);
  /// The same with the folder's manifest, which was read before.
  static Model load(const std::filesystem::path& folder, Manifest manifest, c10::Device device,
                    c10::ScalarType precision, ModelParts parts = {},
                    NetworkTrust trust = NetworkTrust::checked);

  /// The same in the fastest precision that is as good as float32: bf16 on a processor or GPU that
  /// multiplies in it, when x̂_0 of one evaluation has at least 45 dB PSNR against float32's and an
  /// evaluation takes at most 0.97 of float32's time, and float32 otherwise. `precision()` says
  /// which. `choices_file`, JSON, keeps what was chosen for this machine, network and number of
  /// threads, so that it is measured once; without it, it is measured each time.
  static Model load_fastest(const std::filesystem::path& folder, Manifest manifest,
                            c10::Device device, ModelParts parts = {},
                            NetworkTrust trust = NetworkTrust::checked,
                            const std::filesystem::path& choices_file = {});

  /// One dry call of each network that is loaded. Throws ModelError naming the file whose output
  /// has another shape than the manifest promises, its scale included, or is not finite.
  void check_networks() const;

  /// The same model with a float32 denoiser: itself, or its file read again on the first call, with
  /// a warning. For pictures on which a reduced precision fails: fp16 overflows on some.
  Model in_float32() const;

  const Manifest& manifest() const { return manifest_; }
  c10::ScalarType precision() const { return precision_; }
  const Schedule& schedule() const { return schedule_; }
  c10::Device device() const { return device_; }
  bool has_regressor() const { return regressor_.defined(); }
  bool has_weight_map() const { return weight_map_.defined(); }
  bool has_denoiser() const { return denoiser_.defined(); }
  /// Output pixels that a network call on a CUDA device may have by the memory that was free when
  /// the model was loaded; 0 on the CPU.
  std::int64_t device_pixels() const { return device_pixels_; }

  /// Gives back the memory of what was recorded of calls on a CUDA device; they are recorded anew.
  void drop_recordings() const;

  /// lr [N,3,h,w] in [−1,1] → x_sr [N,3,s·h,s·w] in [−1,1]. Sides are multiples of
  /// manifest().size_multiple. Throws ModelError when the folder has no regressor. This and the
  /// next two throw it, naming the file, when the network fails or gives another shape.
  at::Tensor regress(const at::Tensor& lr) const;
  /// x_sr [N,3,H,W] → W [N,1 or 3,H,W] in [0,1]. Throws ModelError where no weight map is loaded.
  at::Tensor weigh(const at::Tensor& x_sr) const;
  /// condition and x_t [N,3,H,W], step t → the denoiser's raw output [N,3,H,W] (see
  /// Parameterisation). The network is told √ᾱ_t. Throws ModelError where it is not loaded.
  at::Tensor denoise(const at::Tensor& condition, const at::Tensor& x_t, int t) const;

 private:
  Model(std::filesystem::path folder, Manifest manifest, c10::Device device, NetworkTrust trust);
  /// Returns the denoiser in float32, for comparison, when `precision` is another.
  Network load_networks(c10::ScalarType precision, ModelParts parts);
  Network load_network(const NetworkFile& file, c10::ScalarType precision) const;
  std::int64_t test_side() const;
  std::string name_of(const NetworkFile& file, const char* what) const;
  /// The output, when it has the shape that the manifest promises.
  at::Tensor of_shape(at::IntArrayRef expected, const at::Tensor& output, const NetworkFile& file,
                      const char* what) const;
  at::Tensor regressor_output(const at::Tensor& lr) const;
  at::Tensor weight_map_output(const at::Tensor& x_sr) const;
  void require_finite(const NetworkFile& file, const char* what, const at::Tensor& output) const;
  void check_networks(std::int64_t images) const;
  void measure_device_memory();
  at::Tensor test_image(std::int64_t side) const;
  at::Tensor test_evaluation(const Network& denoiser, std::int64_t side) const;
  /// Whether the denoiser, in a reduced precision, agrees with one in float32.
  bool is_as_good_as(const Network& reference) const;
  bool is_faster_than(const Network& reference) const;
  void check_precision(const Network& reference) const;

  /// A network that all copies of a model share; the first that needs it loads it.
  struct SharedNetwork;

  std::filesystem::path folder_;
  Manifest manifest_;
  Schedule schedule_;
  std::shared_ptr<SharedNetwork> float32_denoiser_;
  std::int64_t device_pixels_ = 0;
  c10::Device device_ = c10::kCPU;
  NetworkTrust trust_ = NetworkTrust::checked;
  c10::ScalarType precision_ = c10::kFloat;
  Network regressor_;
  Network weight_map_;
  Network denoiser_;
};

}  // namespace srdiff
