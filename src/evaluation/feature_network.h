#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "srdiff/network.h"

namespace srdiff {

/// How a picture is brought to the size that a feature network takes. All have half-pixel centres
/// (align_corners=false).
enum class FeatureResize {
  none,
  bilinear,            ///< without antialiasing: what pytorch-fid does before Inception
  bilinear_antialias,  ///< Pillow's BILINEAR
  bicubic_antialias,   ///< Pillow's BICUBIC, a = −0.5
};

/// What `manifest.json` says of a feature network's folder.
struct FeatureManifest {
  std::string name;
  std::string version;
  std::int64_t dimensions = 0;            ///< D
  NetworkFile file = {};                  ///< TorchScript, [N,3,S,S] float32 → [N,D]
  std::optional<std::int64_t> size = {};  ///< S in pixels; empty: a picture keeps its size
  FeatureResize resize = FeatureResize::none;
  /// The network sees (p/255 − mean) / std of 8-bit RGB values p.
  std::array<double, 3> mean = {};
  std::array<double, 3> std = {};
  std::string source;
  std::string licence;
};

/// Reads FOLDER/manifest.json. Throws ModelError naming the file and the field at fault.
FeatureManifest read_feature_manifest(const std::filesystem::path& folder);

/// Where a feature network named on the command line is: found as find_model finds models, in
/// $SRDIFF_FEATURES and in folders called `features`. Throws ModelError naming the places.
std::filesystem::path find_features(const std::string& name);

/// A hash of the network's weights and of all that is done to a picture before it. Figures and
/// statistics of two networks can be compared exactly when this is the same.
std::string fingerprint(const FeatureManifest& manifest);

/// A network whose features stand for pictures in a Fréchet distance and its kind.
class FeatureNetwork {
 public:
  /// Loads and checks a folder: hash, what its file holds (`trust`), and one dry call that compares
  /// the dimensions. Throws ModelError.
  static FeatureNetwork load(const std::filesystem::path& folder, c10::Device device = c10::kCPU,
                             NetworkTrust trust = NetworkTrust::checked);

  const FeatureManifest& manifest() const { return manifest_; }

  /// A picture [3,H,W] float32 RGB in [−1,1] as the network takes it: [3,S,S] float32. Values are
  /// rounded to 8 bit first, so that a picture and the file written of it have the same features.
  at::Tensor prepare(const at::Tensor& image) const;

  /// Prepared pictures [N,3,S,S] → features [N,D] float32 on the CPU. Throws ModelError.
  at::Tensor operator()(const at::Tensor& prepared) const;

 private:
  FeatureNetwork(FeatureManifest manifest, Network network);

  FeatureManifest manifest_;
  Network network_;
};

}  // namespace srdiff
