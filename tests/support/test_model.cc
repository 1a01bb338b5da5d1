#include "support/test_model.h"

#include <torch/script.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/sha256.h"

namespace srdiff::support {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Fixed weights [out,in,3,3] that look irregular and need no generator.
at::Tensor weights(std::int64_t out, std::int64_t in, double gain) {
  const std::int64_t count = out * in * 9;
  const double size = gain / std::sqrt(static_cast<double>(in * 9));
  return at::arange(count, at::kFloat).mul(1.7).add(0.3).sin().mul(size).reshape({out, in, 3, 3});
}

const std::string& first_given(const std::string& source, const std::string& built_in) {
  return source.empty() ? built_in : source;
}

torch::jit::Module regressor(const TestModelOptions& options) {
  const std::string scale = std::to_string(options.scale);
  const std::string built_in = "def forward(self, lr):\n    scale = " + scale + R"(
    size = [lr.size(2) * scale, lr.size(3) * scale]
    large = torch._upsample_bicubic2d_aa(lr, size, False, None, None)
    return large + torch.conv2d(large, self.detail, None, [1, 1], [1, 1])
)";
  torch::jit::Module module("Regressor");
  module.register_parameter("detail", weights(3, 3, 0.3), false);
  module.define(first_given(options.regressor_source, built_in));
  return module;
}

torch::jit::Module weight_map(const TestModelOptions& options) {
  const std::string built_in = R"(
def forward(self, x_sr):
    return torch.sigmoid(torch.conv2d(x_sr, self.edges, None, [1, 1], [1, 1]) - 1.0)
)";
  torch::jit::Module module("WeightMap");
  module.register_parameter("edges", weights(options.weight_map_channels, 3, 4.0), false);
  module.define(first_given(options.weight_map_source, built_in));
  return module;
}

/// The last line of the built-in denoiser: what it outputs for its x̂_0.
std::string output_for_x0(Parameterisation parameterisation) {
  switch (parameterisation) {
    case Parameterisation::eps:
      return "(x_t - a * x0) / s";
    case Parameterisation::x0:
      return "x0";
    case Parameterisation::v:
      return "(a * x_t - x0) / s";
  }
  throw std::invalid_argument("no such parameterisation");
}

torch::jit::Module denoiser(const TestModelOptions& options) {
  const std::string built_in = R"(
def forward(self, condition, x_t, noise_level):
    a = noise_level.reshape([-1, 1, 1, 1])
    s = (1.0 - a * a).clamp_min(1e-6).sqrt()
    level = a.expand([x_t.size(0), 1, x_t.size(2), x_t.size(3)])
    inputs = torch.cat([condition, x_t, level.to(x_t.dtype)], 1)
    hidden = torch.tanh(torch.conv2d(inputs, self.first, None, [1, 1], [1, 1]))
    x0 = (condition + torch.conv2d(hidden, self.second, None, [1, 1], [1, 1])).clamp(-1.0, 1.0)
    return )" + output_for_x0(options.parameterisation) +
                               "\n";
  torch::jit::Module module("Denoiser");
  module.register_parameter("first", weights(8, 7, 1.0), false);
  module.register_parameter("second", weights(3, 8, 0.6), false);
  module.define(first_given(options.denoiser_source, built_in));
  return module;
}

torch::jit::Module features(const TestFeaturesOptions& options) {
  const std::string built_in = R"(
def forward(self, x):
    return torch.conv2d(x, self.kernels).relu().mean([2, 3])
)";
  torch::jit::Module module("Features");
  module.register_parameter("kernels", weights(options.dimensions, 3, options.gain), false);
  module.define(first_given(options.source, built_in));
  return module;
}

torch::jit::Module lpips(const TestLpipsOptions& options) {
  const std::string built_in = R"(
def forward(self, a, b):
    difference = torch.conv2d(a, self.kernels) - torch.conv2d(b, self.kernels)
    return difference.pow(2).mean([1, 2, 3])
)";
  torch::jit::Module module("Lpips");
  module.register_parameter("kernels", weights(4, 3, options.gain), false);
  module.define(first_given(options.source, built_in));
  return module;
}

std::string read_bytes(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream.flush()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

json save(const torch::jit::Module& module, const fs::path& folder, const std::string& file) {
  module.save((folder / file).string());
  return {{"path", file}, {"sha256", sha256_hex(read_bytes(folder / file))}};
}

json write_networks(const fs::path& folder, const TestModelOptions& options) {
  json files = {{"denoiser", save(denoiser(options), folder, "denoiser.pt")}};
  if (options.regressor) {
    files["regressor"] = save(regressor(options), folder, "regressor.pt");
  }
  if (options.weight_map) {
    files["weight_map"] = save(weight_map(options), folder, "weight_map.pt");
  }
  return files;
}

json make_manifest(const json& files, const TestModelOptions& options) {
  return {{"format", 1},
          {"name", options.name},
          {"version", "1.0"},
          {"task", "testing"},
          {"description", "Fixed weights for tests"},
          {"scale", options.scale},
          {"native_size", 16 * options.scale},
          {"size_multiple", options.size_multiple},
          {"max_output_pixels", options.max_output_pixels},
          {"schedule", {{"kind", "linear"}, {"T", 2000}, {"beta_start", 1e-6}, {"beta_end", 1e-2}}},
          {"parameterisation", to_string(options.parameterisation)},
          {"conditioning", "sqrt_alpha_bar"},
          {"value_range", {-1, 1}},
          {"weight_map_channels", options.weight_map_channels},
          {"files", files},
          {"defaults", {{"t", 300}, {"beta", 0.8}, {"sampler", "ddim"}, {"nfe", 8}, {"eta", 0.0}}}};
}

void write_manifest(json manifest, const std::string& patch, const fs::path& folder) {
  if (!patch.empty()) {
    manifest.merge_patch(json::parse(patch));
  }
  write_bytes(folder / "manifest.json", manifest.dump(2) + "\n");
}

void flip_a_bit(const fs::path& path) {
  std::string bytes = read_bytes(path);
  bytes.at(bytes.size() / 2) ^= 1;
  write_bytes(path, bytes);
}

}  // namespace

fs::path make_test_model(const fs::path& folder, const TestModelOptions& options) {
  fs::create_directories(folder);
  write_manifest(make_manifest(write_networks(folder, options), options), options.manifest_patch,
                 folder);
  if (!options.damaged.empty()) {
    flip_a_bit(folder / (options.damaged + ".pt"));
  }
  return folder;
}

fs::path make_test_features(const fs::path& folder, const TestFeaturesOptions& options) {
  fs::create_directories(folder);
  const std::vector<double> half = {0.5, 0.5, 0.5};
  write_manifest({{"name", options.name},
                  {"version", "1.0"},
                  {"dimensions", options.dimensions},
                  {"file", save(features(options), folder, "features.pt")},
                  {"input", {{"size", nullptr}, {"resize", "none"}, {"mean", half}, {"std", half}}},
                  {"source", "fixed weights for tests"},
                  {"licence", "MIT"}},
                 options.manifest_patch, folder);
  return folder;
}

fs::path make_test_lpips(const fs::path& folder, const TestLpipsOptions& options) {
  fs::create_directories(folder);
  write_manifest({{"kind", "lpips"},
                  {"name", options.name},
                  {"version", "0.1"},
                  {"min_side", 8},
                  {"file", save(lpips(options), folder, "lpips.pt")},
                  {"source", "fixed weights for tests"},
                  {"licence", "MIT"}},
                 options.manifest_patch, folder);
  return folder;
}

}  // namespace srdiff::support
