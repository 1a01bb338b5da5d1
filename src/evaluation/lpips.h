#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "srdiff/network.h"

namespace srdiff {

/// What `manifest.json` says of an LPIPS network's folder, as scripts/export_lpips.py writes it.
struct LpipsManifest {
  std::string name;
  std::string version;
  /// TorchScript, two batches of pictures [N,3,H,W] float32 RGB in [−1,1] → their distances [N].
  NetworkFile file = {};
  std::int64_t min_side = 1;  ///< pixels below which the network has no value
  std::string source;
  std::string licence;
};

/// Reads FOLDER/manifest.json. Throws ModelError naming the file and the field at fault, also where
/// it is a folder of another kind.
LpipsManifest read_lpips_manifest(const std::filesystem::path& folder);

/// The network that is used where none is named: AlexNet's, whose figure is the usual one.
constexpr const char* usual_lpips = "lpips-alex";

/// Where a network named on the command line is, among the feature networks (find_features).
/// Throws ModelError naming the places.
std::filesystem::path find_lpips(const std::string& name);

/// A hash of the network's weights: figures of two networks can be compared exactly when this is
/// the same.
std::string fingerprint(const LpipsManifest& manifest);

/// How unlike two pictures look: the distance of their values in the layers of a network that knows
/// pictures (Zhang et al. 2018, arXiv 1801.03924, equation 1). 0 is the same; lower is better.
class LpipsNetwork {
 public:
  /// Loads and checks a folder: hash, what its file holds (`trust`), and a dry call, which must
  /// give one finite distance a pair, and none to a picture from itself. Throws ModelError.
  static LpipsNetwork load(const std::filesystem::path& folder, c10::Device device = c10::kCPU,
                           NetworkTrust trust = NetworkTrust::checked);

  const LpipsManifest& manifest() const { return manifest_; }

  /// [N,3,H,W] float32 RGB in [−1,1] → [N] float64 on the CPU.
  /// Throws UsageError when the sizes differ or a side is below the manifest's; ModelError when the
  /// network fails or gives something else.
  at::Tensor operator()(const at::Tensor& a, const at::Tensor& b) const;

 private:
  LpipsNetwork(LpipsManifest manifest, Network network);

  LpipsManifest manifest_;
  Network network_;
};

}  // namespace srdiff
