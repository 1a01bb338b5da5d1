#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "srdiff/sampler.h"

namespace srdiff::support {

/// What make_test_model writes. The defaults give a whole model of three tiny networks.
struct TestModelOptions {
  std::string name = "tiny";
  int scale = 2;
  int size_multiple = 4;
  int weight_map_channels = 1;
  std::int64_t max_output_pixels = 65536;  ///< 128x128 pixels at scale 2
  Parameterisation parameterisation = Parameterisation::eps;
  bool regressor = true;   ///< false: the folder has none
  bool weight_map = true;  ///< false: the folder has none

  /// TorchScript of a `forward` to take the built-in one's place; empty keeps that.
  std::string regressor_source = {};   ///< forward(self, lr)
  std::string weight_map_source = {};  ///< forward(self, x_sr)
  std::string denoiser_source = {};    ///< forward(self, condition, x_t, noise_level)

  /// A JSON merge patch (RFC 7386) for the manifest, applied last: {"scale": 3} lies,
  /// {"schedule": null} leaves out.
  std::string manifest_patch = {};
  /// "regressor", "weight_map" or "denoiser": that file loses a bit after it was hashed.
  std::string damaged = {};
};

/// Writes a model folder that srdiff loads like any other, without Python. The networks have fixed
/// weights: x_sr is a sharpened bicubic enlargement, W follows its edges, and the denoiser's x̂_0
/// is the condition plus a small convolution of all its inputs. Returns `folder`.
std::filesystem::path make_test_model(const std::filesystem::path& folder,
                                      const TestModelOptions& options = {});

/// A denoiser that in bf16 overflows where x_t leaves what the checks at loading see, as fp16 does
/// on some pictures.
inline constexpr const char* overflows_in_bf16 =
    "def forward(self, condition, x_t, noise_level):\n"
    "    float32 = 6\n"
    "    largest = 1e30 if x_t.dtype == float32 else 1.5\n"
    "    return torch.where(x_t.abs() > largest, x_t / 0.0, 0.1 * x_t)\n";

/// What make_test_features writes. The defaults give a network that takes pictures of any size.
struct TestFeaturesOptions {
  std::string name = "tiny-features";
  int dimensions = 16;
  double gain = 1.0;                ///< of the weights: another gain is another network
  std::string source = {};          ///< TorchScript, forward(self, x), for the built-in one's place
  std::string manifest_patch = {};  ///< a JSON merge patch (RFC 7386) for the manifest
};

/// Writes a feature network's folder: one convolution with fixed weights, averaged over the
/// picture. Returns `folder`.
std::filesystem::path make_test_features(const std::filesystem::path& folder,
                                         const TestFeaturesOptions& options = {});

/// What make_test_lpips writes. The defaults give a network that takes pictures of 8 pixels and
/// more.
struct TestLpipsOptions {
  std::string name = "tiny-lpips";
  double gain = 1.0;        ///< of the weights: another gain is another network
  std::string source = {};  ///< TorchScript, forward(self, a, b), for the built-in one's place
  std::string manifest_patch = {};  ///< a JSON merge patch (RFC 7386) for the manifest
};

/// Writes an LPIPS network's folder: the mean squared difference between both pictures after one
/// convolution with fixed weights. Returns `folder`.
std::filesystem::path make_test_lpips(const std::filesystem::path& folder,
                                      const TestLpipsOptions& options = {});

}  // namespace srdiff::support
