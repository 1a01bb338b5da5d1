#include "pipeline/output_size.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr std::int64_t most_enlarged = 64;

/// A side enlarged by the factor, rounded, at least a pixel.
std::int64_t enlarged(std::int64_t side, ResizeRatio factor) {
  return std::max<std::int64_t>((2 * side * factor.up + factor.down) / (2 * factor.down), 1);
}

ResizeRatio factor_to_size(const UpscaleSettings& settings, std::int64_t height,
                           std::int64_t width) {
  const std::int64_t long_side = std::max(height, width);
  if (settings.long_side) {
    return lowest_terms(*settings.long_side, long_side);
  }
  if (settings.megapixels) {
    const double pixels = static_cast<double>(height) * static_cast<double>(width);
    const double side = std::sqrt(*settings.megapixels * 1e6 / pixels);
    const double wanted = std::round(static_cast<double>(long_side) * side);
    constexpr double largest = 1e9;  // refused later
    return lowest_terms(std::max<std::int64_t>(std::llround(std::min(wanted, largest)), 1),
                        long_side);
  }
  const bool by_height =
      !settings.width || (settings.height && *settings.height * width < *settings.width * height);
  return by_height ? lowest_terms(*settings.height, height) : lowest_terms(*settings.width, width);
}

std::string size_text(std::int64_t height, std::int64_t width) {
  return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

ResizeRatio lowest_terms(std::int64_t up, std::int64_t down) {
  const std::int64_t divisor = std::gcd(up, down);
  return {up / divisor, down / divisor};
}

bool names_size(const UpscaleSettings& settings) {
  return settings.width || settings.height || settings.long_side || settings.megapixels;
}

OutputSize output_size(const UpscaleSettings& settings, const Manifest& manifest,
                       std::int64_t height, std::int64_t width, const std::string& name) {
  constexpr double parts = 1000.0;
  if (!names_size(settings)) {
    const ResizeRatio factor = lowest_terms(std::llround(settings.scale * parts), 1000);
    return {enlarged(height, factor), enlarged(width, factor), factor};
  }
  if (height < 1 || width < 1) {
    return {height, width, {}};  // refused for its size
  }
  const ResizeRatio factor = factor_to_size(settings, height, width);
  const OutputSize size = {enlarged(height, factor), enlarged(width, factor), factor};
  const std::string change =
      name + ": " + size_text(height, width) + " to " + size_text(size.height, size.width);
  if (factor.up < factor.down) {
    throw InputError(change + " would be smaller; pictures are only enlarged");
  }
  if (factor.up > most_enlarged * factor.down) {
    throw InputError(change + " is more than " + std::to_string(most_enlarged) + " times");
  }
  if (manifest.scale == 1 && factor.up > factor.down) {
    throw InputError(change + " is larger, and " + manifest.name + " does not enlarge");
  }
  return size;
}

int pass_count(ResizeRatio factor, int model_scale) {
  int count = 1;
  for (std::int64_t reached = model_scale; reached * factor.down < factor.up && model_scale > 1;
       reached *= model_scale) {
    ++count;
  }
  return count;
}

ResizeRatio ratio_after_passes(ResizeRatio factor, int model_scale) {
  std::int64_t reached = 1;
  for (int pass = pass_count(factor, model_scale); pass > 0; --pass) {
    reached *= model_scale;
  }
  return lowest_terms(factor.up, factor.down * reached);
}

}  // namespace srdiff
