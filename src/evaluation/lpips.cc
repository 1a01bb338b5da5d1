#include "evaluation/lpips.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "engine/finite.h"
#include "models/model_folder.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr NetworkFolderKind lpips_folders = {
    "LPIPS network", "SRDIFF_FEATURES", "features",
    "make it by scripts/export_lpips.py, or name a folder with a '/' in it"};

constexpr const char* lpips_kind = "lpips";

/// More than rounding leaves of the distance between a picture and itself.
constexpr double most_to_itself = 1e-6;

/// Two pictures [2,3,side,side] that differ, and of which none is flat.
std::pair<at::Tensor, at::Tensor> dry_call_pictures(std::int64_t side) {
  const at::Tensor steps =
      at::arange(6 * side * side, at::kFloat).reshape({2, 3, side, side}).mul(0.37F);
  return {steps.sin(), steps.sin().mul(0.5F)};
}

}  // namespace

LpipsManifest read_lpips_manifest(const fs::path& folder) {
  LpipsManifest manifest;
  parse_network_manifest(folder, [&](const nlohmann::json& document, const std::string& where) {
    const JsonFields root(document, where);
    if (root.optional<std::string>("kind", "") != lpips_kind) {
      throw ModelError(where + ": is not an LPIPS network's; scripts/export_lpips.py makes one");
    }
    manifest.name = root.required<std::string>("name");
    manifest.version = root.required<std::string>("version");
    manifest.file = required_network_file(root, "file", where);
    manifest.min_side = root.in_range<std::int64_t>("min_side", 1, 4096);
    manifest.source = root.optional<std::string>("source", "");
    manifest.licence = root.optional<std::string>("licence", "");
  });
  return manifest;
}

fs::path find_lpips(const std::string& name) {
  return find_network_folder(lpips_folders, name);
}

std::string fingerprint(const LpipsManifest& manifest) {
  return manifest.file.sha256;
}

LpipsNetwork::LpipsNetwork(LpipsManifest manifest, Network network)
    : manifest_(std::move(manifest)), network_(std::move(network)) {}

LpipsNetwork LpipsNetwork::load(const fs::path& folder, c10::Device device, NetworkTrust trust) {
  LpipsManifest manifest = read_lpips_manifest(folder);
  const std::string name = (folder / manifest.file.path).string();
  Network network = Network::from_bytes(read_verified(folder, manifest.file).bytes(), name, device,
                                        c10::kFloat, trust);
  LpipsNetwork result(std::move(manifest), std::move(network));
  const auto [picture, other] = dry_call_pictures(result.manifest_.min_side);
  const auto to_itself = result(picture, picture).abs().max().item<double>();
  if (!(to_itself <= most_to_itself)) {
    std::ostringstream text;
    text << name << ": is no LPIPS network: a picture's distance to itself is " << to_itself;
    throw ModelError(text.str());
  }
  result(picture, other);
  return result;
}

at::Tensor LpipsNetwork::operator()(const at::Tensor& a, const at::Tensor& b) const {
  const auto size = [](const at::Tensor& images) {
    return std::to_string(images.size(-1)) + "x" + std::to_string(images.size(-2));
  };
  if (a.sizes() != b.sizes()) {
    throw UsageError("pictures of " + size(a) + " and " + size(b) +
                     " pixels have no LPIPS; give two of one size");
  }
  if (std::min(a.size(-1), a.size(-2)) < manifest_.min_side) {
    throw UsageError("a picture of " + size(a) + " pixels is too small for LPIPS (" +
                     manifest_.name + "); give sides of " + std::to_string(manifest_.min_side) +
                     " pixels or more");
  }
  at::Tensor distances = network_({a, b}).to(at::kCPU, at::kDouble);
  if (distances.dim() != 1 || distances.size(0) != a.size(0)) {
    std::ostringstream text;
    text << manifest_.name << ": the network gave " << distances.sizes() << " where LPIPS has ["
         << a.size(0) << "]";
    throw ModelError(text.str());
  }
  if (!is_finite(distances)) {
    throw ModelError(manifest_.name + ": the network gave a distance that is not finite");
  }
  return distances;
}

}  // namespace srdiff
