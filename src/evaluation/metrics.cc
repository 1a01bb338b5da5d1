#include "evaluation/metrics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "srdiff/error.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

constexpr std::array<double, 5> ms_ssim_weights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

std::string size_text(const at::Tensor& images) {
  std::string text;
  for (const std::int64_t size : images.sizes()) {
    text += (text.empty() ? "" : "x") + std::to_string(size);
  }
  return "[" + text + "]";
}

void check_pair(const at::Tensor& a, const at::Tensor& b, std::int64_t dimensions,
                std::int64_t min_side = 1) {
  if (a.dim() != dimensions || a.sizes() != b.sizes()) {
    throw UsageError("images " + size_text(a) + " and " + size_text(b) +
                     " cannot be compared; give two of one size");
  }
  if (std::min(a.size(-1), a.size(-2)) < min_side) {
    throw UsageError("images " + size_text(a) + " are too small for this figure; give sides of " +
                     std::to_string(min_side) + " pixels or more");
  }
}

/// From [−1,1] to [0,1], where SSIM's luminance term and zero padding mean what they should.
at::Tensor unit_range(const at::Tensor& images) {
  return images.detach()
      .to(at::kCPU, at::kDouble, /*non_blocking=*/false, /*copy=*/true)
      .add_(1.0)
      .mul_(0.5);
}

/// Mean over all but the first dimension.
at::Tensor per_image(const at::Tensor& values) {
  return values.flatten(1).mean(1);
}

std::vector<double> gaussian_window() {
  constexpr double sigma = 1.5;
  constexpr double radius = (ssim_min_side - 1) / 2.0;
  std::vector<double> window(ssim_min_side);
  double sum = 0.0;
  for (std::size_t i = 0; i < window.size(); ++i) {
    const double offset = static_cast<double>(i) - radius;
    window[i] = std::exp(-offset * offset / (2.0 * sigma * sigma));
    sum += window[i];
  }
  for (double& weight : window) {
    weight /= sum;
  }
  return window;
}

/// The windowed mean along one dimension, where the window lies inside. Sums of shifted views:
/// float64 convolutions unfold the image in memory first.
at::Tensor blur_along(const at::Tensor& image, std::int64_t dimension) {
  static const std::vector<double> window = gaussian_window();
  const std::int64_t length = image.size(dimension) - ssim_min_side + 1;
  at::Tensor sum = image.narrow(dimension, 0, length) * window[0];
  for (std::size_t i = 1; i < window.size(); ++i) {
    sum.add_(image.narrow(dimension, static_cast<std::int64_t>(i), length), window[i]);
  }
  return sum;
}

at::Tensor blur(const at::Tensor& image) {
  return blur_along(blur_along(image, 0), 1);
}

/// Two planes [H,W] are gone through in bands of rows, so that what is computed of a band stays in
/// the caches and takes little memory, however large the picture is. Calls `figure(first, rows)`
/// for each band of `height` rows, from the top.
template <typename Figure>
void in_bands(std::int64_t height, std::int64_t width, const Figure& figure) {
  constexpr std::int64_t pixels = 1 << 15;  // 256 KiB of float64
  const std::int64_t rows = std::max<std::int64_t>(1, pixels / width);
  for (std::int64_t first = 0; first < height; first += rows) {
    figure(first, std::min(rows, height - first));
  }
}

struct Similarity {
  double whole = 0.0;     ///< l·c·s, the SSIM
  double contrast = 0.0;  ///< c·s, without the luminance term
};

/// The sums over all windows that lie inside two bands [rows,W].
Similarity summed_similarity(const at::Tensor& a, const at::Tensor& b) {
  constexpr double c1 = 0.01 * 0.01;
  constexpr double c2 = 0.03 * 0.03;
  const at::Tensor mean_a = blur(a);
  const at::Tensor mean_b = blur(b);
  const at::Tensor mean_ab = mean_a * mean_b;
  const at::Tensor squares = mean_a.square_().add_(mean_b.square_());
  // Sum of both variances: the formula needs no more of them.
  const at::Tensor variances = blur(a * a).add_(blur(b * b)).sub_(squares);
  const at::Tensor covariance = blur(a * b).sub_(mean_ab);
  const at::Tensor contrast = covariance.mul_(2.0).add_(c2).div_(variances + c2);
  const auto contrast_sum = contrast.sum().item<double>();
  const at::Tensor luminance = (mean_ab * 2.0).add_(c1).div_(squares + c1);
  return {luminance.mul_(contrast).sum().item<double>(), contrast_sum};
}

/// The means over all windows of two planes [H,W].
Similarity plane_similarity(const at::Tensor& a, const at::Tensor& b) {
  constexpr std::int64_t beside = ssim_min_side - 1;  // the rows and columns where no window begins
  const std::int64_t height = a.size(0) - beside;
  const std::int64_t width = a.size(1) - beside;
  Similarity result;
  in_bands(height, a.size(1), [&](std::int64_t first, std::int64_t rows) {
    const Similarity band =
        summed_similarity(a.narrow(0, first, rows + beside), b.narrow(0, first, rows + beside));
    result.whole += band.whole;
    result.contrast += band.contrast;
  });
  const auto windows = static_cast<double>(height * width);
  return {result.whole / windows, result.contrast / windows};
}

/// The mean of two planes' squared differences.
double plane_squared_error(const at::Tensor& a, const at::Tensor& b) {
  double sum = 0.0;
  in_bands(a.size(0), a.size(1), [&](std::int64_t first, std::int64_t rows) {
    sum += (a.narrow(0, first, rows) - b.narrow(0, first, rows)).square_().sum().item<double>();
  });
  return sum / static_cast<double>(a.numel());
}

/// Half the size by means of 2×2 pixels; an odd side is padded with zeros, as the reference does.
at::Tensor halved(const at::Tensor& plane) {
  return at::avg_pool2d(plane.unsqueeze(0).unsqueeze(0), 2, 2,
                        {plane.size(0) % 2, plane.size(1) % 2})
      .squeeze(0)
      .squeeze(0);
}

double plane_ms_ssim(at::Tensor a, at::Tensor b) {
  double product = 1.0;
  for (std::size_t scale = 0; scale < ms_ssim_weights.size(); ++scale) {
    const bool coarsest = scale + 1 == ms_ssim_weights.size();
    const Similarity similarity = plane_similarity(a, b);
    // A negative term has no real power.
    const double term = std::max(0.0, coarsest ? similarity.whole : similarity.contrast);
    product *= std::pow(term, ms_ssim_weights.at(scale));
    if (!coarsest) {
      a = halved(a);
      b = halved(b);
    }
  }
  return product;
}

/// Mean over channels of a figure of two planes, for each image.
template <typename Figure>
at::Tensor over_planes(const at::Tensor& a, const at::Tensor& b, const Figure& figure) {
  at::Tensor result = at::zeros({a.size(0)}, at::kDouble);
  for (std::int64_t n = 0; n < a.size(0); ++n) {
    double sum = 0.0;
    for (std::int64_t c = 0; c < a.size(1); ++c) {
      sum += figure(unit_range(a[n][c]), unit_range(b[n][c]));
    }
    result[n] = sum / static_cast<double>(a.size(1));
  }
  return result;
}

}  // namespace

at::Tensor psnr(const at::Tensor& a, const at::Tensor& b) {
  check_pair(a, b, 4);
  const at::Tensor error = over_planes(a, b, plane_squared_error);
  return error.log10().mul(-10.0);
}

at::Tensor ssim(const at::Tensor& a, const at::Tensor& b) {
  check_pair(a, b, 4, ssim_min_side);
  return over_planes(a, b, [](const at::Tensor& plane_a, const at::Tensor& plane_b) {
    return plane_similarity(plane_a, plane_b).whole;
  });
}

std::optional<at::Tensor> ms_ssim(const at::Tensor& a, const at::Tensor& b) {
  check_pair(a, b, 4);
  if (std::min(a.size(2), a.size(3)) < ms_ssim_min_side) {
    return std::nullopt;
  }
  return over_planes(a, b, plane_ms_ssim);
}

at::Tensor luma(const at::Tensor& images) {
  if (images.dim() != 4 || images.size(1) != 3) {
    throw UsageError("luma takes RGB images [N,3,H,W], not " + size_text(images));
  }
  const at::Tensor rgb = images.add(1.0).mul(0.5);
  const at::Tensor weighted =
      rgb.select(1, 0) * 65.481 + rgb.select(1, 1) * 128.553 + rgb.select(1, 2) * 24.966;
  return weighted.add(16.0).div(127.5).sub(1.0).unsqueeze(1);
}

at::Tensor crop_border(const at::Tensor& images, std::int64_t border) {
  const std::int64_t height = images.size(-2) - 2 * border;
  const std::int64_t width = images.size(-1) - 2 * border;
  if (border < 0 || height < 1 || width < 1) {
    throw UsageError("a border of " + std::to_string(border) + " pixels leaves nothing of images " +
                     size_text(images));
  }
  return images.narrow(-2, border, height).narrow(-1, border, width);
}

at::Tensor sharpness(const at::Tensor& reference, const at::Tensor& output) {
  check_pair(reference, output, 4, 2);
  const auto roughness = [](const at::Tensor& images) {
    const at::Tensor exact = unit_range(images);
    return per_image(exact.diff(1, 2).abs()) + per_image(exact.diff(1, 3).abs());
  };
  return roughness(output) / roughness(reference);
}

at::Tensor consistency(const at::Tensor& output, const at::Tensor& input) {
  const at::Tensor reduced = resize_bicubic(output, input.size(-2), input.size(-1));
  check_pair(reduced, input, 4);
  return per_image((unit_range(reduced) - unit_range(input)).square());
}

Difference difference(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  check_pair(a, b, 3);
  const at::Tensor distance = (a - b).abs_().mul_(0.5).to(at::kCPU, at::kFloat);  // [C,H,W]
  const at::Tensor by_pixel = distance.amax(0);                                   // [H,W]
  const auto position = by_pixel.argmax().item<std::int64_t>();
  Difference result;
  result.y = position / by_pixel.size(1);
  result.x = position % by_pixel.size(1);
  result.channel = distance.select(1, result.y).select(1, result.x).argmax().item<std::int64_t>();
  result.largest = by_pixel.max().item<double>();
  result.mean = distance.mean(at::kDouble).item<double>();
  // Pixels are float32: a tolerance of 3/255 takes what is 3/255 in the file.
  constexpr double rounding = 1e-6;
  const auto part_above = [&](double limit) {
    return by_pixel.gt(limit + rounding).to(at::kDouble).mean().item<double>();
  };
  result.different_pixels = part_above(0.0);
  result.failed_pixels = part_above(tolerance);
  return result;
}

}  // namespace srdiff
