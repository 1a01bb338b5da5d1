#include "evaluation/feature_network.h"

#include <ATen/ATen.h>

#include <sstream>
#include <utility>

#include "base/enum_words.h"
#include "base/sha256.h"
#include "engine/finite.h"
#include "images/eight_bit.h"
#include "models/model_folder.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr NetworkFolderKind feature_folders = {
    "feature network", "SRDIFF_FEATURES", "features",
    "make one by scripts/get_features.sh, or name a folder with a '/' in it"};

constexpr EnumWords<FeatureResize, 4> resize_words = {
    "the resizing",
    {{{FeatureResize::none, "none"},
      {FeatureResize::bilinear, "bilinear"},
      {FeatureResize::bilinear_antialias, "bilinear-antialias"},
      {FeatureResize::bicubic_antialias, "bicubic-antialias"}}}};

/// The side of the dry call's picture where the network takes any.
constexpr std::int64_t dry_call_side = 128;

void read_input(const JsonFields& input, FeatureManifest& manifest, const std::string& where) {
  manifest.resize = resize_words.parse(input.required<std::string>("resize"));
  if (input.has("size")) {
    manifest.size = input.in_range<std::int64_t>("size", 1, 4096);
  }
  if (manifest.size.has_value() != (manifest.resize != FeatureResize::none)) {
    throw ModelError(where + ": input: 'size' and 'resize' contradict each other");
  }
  manifest.mean = input.required<std::array<double, 3>>("mean");
  manifest.std = input.required<std::array<double, 3>>("std");
  for (const double value : manifest.std) {
    if (!(value > 0.0)) {
      throw ModelError(where + ": input: 'std' must be above 0");
    }
  }
}

at::Tensor resize(const at::Tensor& images, FeatureResize kind, std::int64_t side) {
  switch (kind) {
    case FeatureResize::none:
      break;
    case FeatureResize::bilinear:
      return at::upsample_bilinear2d(images, {side, side}, /*align_corners=*/false);
    case FeatureResize::bilinear_antialias:
      return at::_upsample_bilinear2d_aa(images, {side, side}, /*align_corners=*/false);
    case FeatureResize::bicubic_antialias:
      return resize_bicubic(images, side, side);
  }
  return images;
}

at::Tensor per_channel(const std::array<double, 3>& values) {
  return at::tensor(c10::ArrayRef<double>(values), at::kFloat).reshape({1, 3, 1, 1});
}

}  // namespace

FeatureManifest read_feature_manifest(const fs::path& folder) {
  FeatureManifest manifest;
  parse_network_manifest(folder, [&](const nlohmann::json& document, const std::string& where) {
    const JsonFields root(document, where);
    if (root.has("kind")) {
      throw ModelError(where + ": is not a feature network's but of the kind '" +
                       root.required<std::string>("kind") + "'");
    }
    manifest.name = root.required<std::string>("name");
    manifest.version = root.required<std::string>("version");
    manifest.dimensions = root.in_range<std::int64_t>("dimensions", 1, 65536);
    manifest.file = required_network_file(root, "file", where);
    read_input(root.object("input"), manifest, where);
    manifest.source = root.optional<std::string>("source", "");
    manifest.licence = root.optional<std::string>("licence", "");
  });
  return manifest;
}

fs::path find_features(const std::string& name) {
  return find_network_folder(feature_folders, name);
}

std::string fingerprint(const FeatureManifest& manifest) {
  std::ostringstream text;
  text.precision(17);
  text << manifest.file.sha256 << ' ' << manifest.dimensions << ' '
       << resize_words.word(manifest.resize) << ' ' << manifest.size.value_or(0);
  for (const auto& values : {manifest.mean, manifest.std}) {
    for (const double value : values) {
      text << ' ' << value;
    }
  }
  const std::string bytes = text.str();
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

FeatureNetwork::FeatureNetwork(FeatureManifest manifest, Network network)
    : manifest_(std::move(manifest)), network_(std::move(network)) {}

FeatureNetwork FeatureNetwork::load(const fs::path& folder, c10::Device device,
                                    NetworkTrust trust) {
  FeatureManifest manifest = read_feature_manifest(folder);
  const std::string name = (folder / manifest.file.path).string();
  Network network = Network::from_bytes(read_verified(folder, manifest.file).bytes(), name, device,
                                        c10::kFloat, trust);
  FeatureNetwork result(std::move(manifest), std::move(network));
  const at::Tensor grey = at::zeros({3, dry_call_side, dry_call_side});
  const at::Tensor features = result(result.prepare(grey).unsqueeze(0));
  if (!is_finite(features)) {
    throw ModelError(name + ": gave features that are not finite");
  }
  return result;
}

at::Tensor FeatureNetwork::prepare(const at::Tensor& image) const {
  const c10::InferenceMode no_gradients;
  const at::Tensor unit = eight_bit_levels(image.unsqueeze(0)).div(255.0);
  const at::Tensor resized = resize(unit, manifest_.resize, manifest_.size.value_or(0));
  return resized.sub(per_channel(manifest_.mean)).div(per_channel(manifest_.std)).squeeze(0);
}

at::Tensor FeatureNetwork::operator()(const at::Tensor& prepared) const {
  at::Tensor features = network_({prepared}).to(at::kCPU);
  if (features.dim() != 2 || features.size(0) != prepared.size(0) ||
      features.size(1) != manifest_.dimensions) {
    std::ostringstream text;
    text << manifest_.name << ": the network gave " << features.sizes()
         << " where the manifest promises [" << prepared.size(0) << ", " << manifest_.dimensions
         << "]";
    throw ModelError(text.str());
  }
  return features;
}

}  // namespace srdiff
