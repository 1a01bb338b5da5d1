#include "evaluation/niqe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/search_path.h"
#include "base/sha256.h"
#include "evaluation/npz.h"
#include "images/eight_bit.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr std::int64_t features_of_a_scale = 18;
constexpr std::int64_t features_of_both = 2 * features_of_a_scale;

/// Whole numbers, [1,1,H,W] float32; halves go up, as MATLAB rounds. Sums of whole numbers, since
/// in any other arithmetic rounding would choose which of both neighbours a half becomes.
at::Tensor rounded_luma(const at::Tensor& image) {
  const at::Tensor levels = eight_bit_levels(image).to(at::kDouble);
  return (levels[0] * 65481.0 + levels[1] * 128553.0 + levels[2] * 24966.0)
      .add(127500.0)
      .div(255000.0)
      .floor()
      .add(16.0)
      .to(at::kFloat)
      .reshape({1, 1, image.size(1), image.size(2)});
}

/// Each pixel's mean over 7×7 about it, by a Gaussian of σ = 7/6; beyond the edge its own pixels go
/// on. In float64, rounded to float32.
at::Tensor local_mean(const at::Tensor& plane) {
  constexpr int reach = 3;
  constexpr double sigma = 7.0 / 6.0;
  const at::Tensor steps = at::arange(-reach, reach + 1, at::kDouble);
  at::Tensor weights = steps.square().neg().div(2.0 * sigma * sigma).exp();
  weights = weights / weights.sum();
  const at::Tensor padded =
      at::replication_pad2d(plane.to(at::kDouble), {reach, reach, reach, reach});
  const at::Tensor across = at::conv2d(padded, weights.reshape({1, 1, 1, 2 * reach + 1}));
  return at::conv2d(across, weights.reshape({1, 1, 2 * reach + 1, 1})).to(at::kFloat);
}

/// Equation 1: how far each pixel is from its surroundings' mean, in their deviations. In float32,
/// as BasicSR, whose rounding leaves exactly 0 in flat areas, as in exact arithmetic: in float64
/// some 1e-14 of either sign is left, which counts as values of that side, and the order of the
/// sums moves figures by up to 4.6 % (measured on docs/images).
at::Tensor normalized(const at::Tensor& plane) {
  const at::Tensor mean = local_mean(plane);
  const at::Tensor deviation = (local_mean(plane.square()) - mean.square()).abs().sqrt();
  return (plane - mean) / (deviation + 1.0);
}

/// Half the size in one direction as MATLAB's imresize: a bicubic kernel (a = −0.5) over eight
/// pixels, mirrored at the edges.
at::Tensor half_along(const at::Tensor& plane, std::int64_t dimension) {
  constexpr std::array<double, 8> distances = {-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5};
  at::Tensor weights = at::empty({1, 1, 8, 1}, at::kDouble);
  for (std::size_t i = 0; i < distances.size(); ++i) {
    const double d = std::abs(distances[i]) / 2.0;
    weights[0][0][static_cast<std::int64_t>(i)][0] =
        d <= 1.0 ? 1.5 * d * d * d - 2.5 * d * d + 1.0
                 : -0.5 * d * d * d + 2.5 * d * d - 4.0 * d + 2.0;
  }
  weights = weights / weights.sum();
  const at::Tensor upright = plane.transpose(2, dimension);
  const at::Tensor first = upright.slice(2, 0, 3).flip(2);
  const at::Tensor last = upright.slice(2, upright.size(2) - 3).flip(2);
  const at::Tensor padded = at::cat({first, upright, last}, 2).to(at::kDouble);
  return at::conv2d(padded, weights, {}, at::IntArrayRef({2, 1})).transpose(2, dimension);
}

/// What fits an asymmetric generalised Gaussian to values: its shape, and the left's and right's
/// scales.
struct Shape {
  double alpha = 0.0;
  double left = 0.0;
  double right = 0.0;
};

/// Γ(2/α)² / (Γ(1/α)·Γ(3/α)) for α = 0.2, 0.201 … 10, which grows with α.
const std::vector<double>& shape_ratios() {
  static const std::vector<double> ratios = [] {
    constexpr std::size_t count = 9801;
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      const double inverse = 1.0 / (0.2 + 0.001 * static_cast<double>(i));
      values[i] = std::tgamma(2.0 * inverse) * std::tgamma(2.0 * inverse) /
                  (std::tgamma(inverse) * std::tgamma(3.0 * inverse));
    }
    return values;
  }();
  return ratios;
}

/// By the moments of the values. Not a number on a side that has none.
Shape fitted_shape(const at::Tensor& block) {
  const at::Tensor values = block.to(at::kDouble).contiguous();
  const auto* value = values.data_ptr<double>();
  double below = 0.0;
  double above = 0.0;
  double magnitude = 0.0;
  std::int64_t count_below = 0;
  std::int64_t count_above = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const double square = value[i] * value[i];
    magnitude += std::abs(value[i]);
    below += value[i] < 0 ? square : 0.0;
    above += value[i] > 0 ? square : 0.0;
    count_below += value[i] < 0 ? 1 : 0;
    count_above += value[i] > 0 ? 1 : 0;
  }
  const auto all = static_cast<double>(values.numel());
  const double left = std::sqrt(below / static_cast<double>(count_below));
  const double right = std::sqrt(above / static_cast<double>(count_above));
  const double gamma = left / right;
  const double ratio = magnitude / all * (magnitude / all) / ((below + above) / all);
  const double wanted = ratio * (gamma * gamma * gamma + 1) * (gamma + 1) /
                        ((gamma * gamma + 1) * (gamma * gamma + 1));
  const std::vector<double>& ratios = shape_ratios();
  std::size_t nearest = 0;
  if (!std::isnan(wanted)) {
    const auto above_it = std::lower_bound(ratios.begin(), ratios.end(), wanted);
    nearest = static_cast<std::size_t>(
        std::min<std::ptrdiff_t>(above_it - ratios.begin(), std::ptrdiff_t{9800}));
    if (nearest > 0 && wanted - ratios[nearest - 1] <= ratios[nearest] - wanted) {
      --nearest;
    }
  }
  const double alpha = 0.2 + 0.001 * static_cast<double>(nearest);
  const double scale = std::sqrt(std::tgamma(1.0 / alpha) / std::tgamma(3.0 / alpha));
  return {alpha, left * scale, right * scale};
}

/// Of one square, [side,side]: its values' shape, and those of their products with four neighbours.
void add_features(const at::Tensor& block, std::vector<double>& features) {
  const Shape own = fitted_shape(block);
  features.insert(features.end(), {own.alpha, (own.left + own.right) / 2.0});
  constexpr std::array<std::array<std::int64_t, 2>, 4> neighbours = {
      {{0, 1}, {1, 0}, {1, 1}, {1, -1}}};
  for (const auto& [down, right] : neighbours) {
    const Shape shape = fitted_shape(block * block.roll({down, right}, {0, 1}));
    const double mean = (shape.right - shape.left) *
                        (std::tgamma(2.0 / shape.alpha) / std::tgamma(1.0 / shape.alpha));
    features.insert(features.end(), {shape.alpha, mean, shape.left, shape.right});
  }
}

/// [squares, 18] of a picture whose squares have this side.
at::Tensor features_of(const at::Tensor& plane, std::int64_t side) {
  const at::Tensor values = normalized(plane)[0][0];
  std::vector<double> features;
  std::int64_t squares = 0;
  for (std::int64_t x = 0; x + side <= values.size(1); x += side) {
    for (std::int64_t y = 0; y + side <= values.size(0); y += side, ++squares) {
      add_features(values.slice(0, y, y + side).slice(1, x, x + side), features);
    }
  }
  return at::tensor(features, at::kDouble).reshape({squares, features_of_a_scale});
}

}  // namespace

NiqeModel read_niqe_model(const std::filesystem::path& path) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 20;
  const Npz file = read_npz(
      path,
      {.arrays = {{"mu_pris_param", most_bytes}, {"cov_pris_param", most_bytes}}, .texts = {}});
  const auto mean = file.arrays.find("mu_pris_param");
  const auto covariance = file.arrays.find("cov_pris_param");
  if (mean == file.arrays.end() || covariance == file.arrays.end() ||
      mean->second.numel() != features_of_both ||
      covariance->second.numel() != features_of_both * features_of_both) {
    throw InputError(path.string() + ": does not hold NIQE's parameters");
  }
  return {mean->second.reshape({features_of_both}),
          covariance->second.reshape({features_of_both, features_of_both})};
}

std::shared_ptr<const NiqeModel> load_niqe_model() {
  const std::filesystem::path file = "niqe/niqe.npz";
  const std::filesystem::path place =
      first_place_with(search_places("SRDIFF_FEATURES", "features"), file);
  if (place.empty()) {
    throw ModelError("niqe needs its parameters, " + file.string() +
                     " among the feature networks; fetch them by scripts/get_niqe.sh");
  }
  return std::make_shared<const NiqeModel>(read_niqe_model(place / file));
}

std::string fingerprint(const NiqeModel& model) {
  Sha256 hash;
  for (const at::Tensor& part : {model.mean.contiguous(), model.covariance.contiguous()}) {
    hash.update(part.data_ptr<double>(), part.nbytes());
  }
  return hash.hex();
}

std::optional<double> niqe(const at::Tensor& image, const NiqeModel& model) {
  const std::int64_t rows = image.size(1) / niqe_square;
  const std::int64_t columns = image.size(2) / niqe_square;
  if (rows * columns < 2) {
    return std::nullopt;
  }
  const at::Tensor plane =
      rounded_luma(image.slice(1, 0, rows * niqe_square).slice(2, 0, columns * niqe_square));
  const at::Tensor half = half_along(half_along(plane, 2), 3).to(at::kFloat);
  const at::Tensor features =
      at::cat({features_of(plane, niqe_square), features_of(half, niqe_square / 2)}, 1);
  const at::Tensor whole = features.isnan().any(1).logical_not();
  const at::Tensor complete = features.index_select(0, whole.nonzero().reshape({-1}));
  if (complete.size(0) < 2) {
    return std::nullopt;
  }
  const at::Tensor counted = features.isnan().logical_not();
  const at::Tensor mean =
      at::where(counted, features, at::zeros_like(features)).sum(0) / counted.sum(0);
  const at::Tensor centred = complete - complete.mean(0);
  const at::Tensor covariance =
      at::mm(centred.t(), centred) / static_cast<double>(complete.size(0) - 1);
  const at::Tensor inverse = at::linalg_pinv((model.covariance + covariance) / 2.0, 1e-15);
  const at::Tensor distance = (model.mean - mean).unsqueeze(0);
  const auto square = at::mm(at::mm(distance, inverse), distance.t()).item<double>();
  return square >= 0.0 ? std::optional(std::sqrt(square)) : std::nullopt;
}

}  // namespace srdiff
