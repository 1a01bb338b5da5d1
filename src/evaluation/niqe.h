#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace srdiff {

/// The features of undamaged photographs that NIQE compares with: their mean [36] and covariance
/// [36,36], float64.
struct NiqeModel {
  at::Tensor mean;
  at::Tensor covariance;
};

/// From the arrays mu_pris_param and cov_pris_param of an .npz file, as BasicSR has them.
/// Throws InputError "PATH: reason".
NiqeModel read_niqe_model(const std::filesystem::path& path);

/// The same of features/niqe/niqe.npz, which scripts/get_niqe.sh fetches, in the places where
/// feature networks are looked for (feature_network.h). Throws ModelError where there is none.
std::shared_ptr<const NiqeModel> load_niqe_model();

/// A hash of the parameters: figures of two models can be compared exactly when this is the same.
std::string fingerprint(const NiqeModel& model);

/// The side of the squares that niqe looks at, of which a picture must hold two.
constexpr std::int64_t niqe_square = 96;

/// How far a picture lies from undamaged photographs, without a reference (Mittal, Soundararajan,
/// Bovik: Making a completely blind image quality analyzer, 2013, equation 10): 0 is as they are.
/// `image` is [3,H,W] float32 RGB in [−1,1] on the CPU, of which the rounded luma of Rec. 601 in
/// studio range counts, without what is left over to the right and below. The figure of BasicSR,
/// to 1e-3, and to 1e-6 of a BasicSR that halves the picture in float64 as MATLAB's imresize does:
/// where it does so in float32, rounding tips the shapes of squares by a step of their 0.001. The
/// authors' MATLAB program takes rgb2gray's luma. Nothing for a picture of fewer than two squares
/// of 96 pixels, or where it is too flat to be measured.
std::optional<double> niqe(const at::Tensor& image, const NiqeModel& model);

}  // namespace srdiff
