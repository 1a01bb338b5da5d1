#include "srdiff/upscale_plan.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "base/integer_math.h"
#include "pipeline/output_size.h"
#include "srdiff/error.h"
#include "srdiff/schedule.h"
#include "srdiff/step_grid.h"

namespace srdiff {
namespace {

void check_input_size(const Manifest& manifest, int passes, std::int64_t height, std::int64_t width,
                      const std::string& name) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (height < 1 || width < 1) {
    throw InputError(name + ": an image of " + size + " pixels cannot be enlarged");
  }
  std::int64_t limit = manifest.max_input_pixels();
  for (int pass = passes; pass > 1; --pass) {
    limit /= std::int64_t{manifest.scale} * manifest.scale;
  }
  if (round_up(height, manifest.size_multiple) > limit / round_up(width, manifest.size_multiple)) {
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(limit)));
    const std::string square = std::to_string(side) + "x" + std::to_string(side);
    throw InputError(name + ": " + size + " pixels are more than " + manifest.name + " takes " +
                     (passes > 1 ? "at this scale (" : "(") + std::to_string(limit) +
                     " pixels, such as " + square + "); " +
                     (passes > 1 ? "take a smaller output, or " : "") +
                     "crop or reduce it first, or take another model (srdiff models)");
  }
}

std::shared_ptr<const ReverseSteps> reverse_steps(const Manifest& manifest,
                                                  const UpscaleSettings& settings) {
  Schedule schedule = Schedule::linear(manifest.T, manifest.beta_start, manifest.beta_end);
  std::vector<int> grid = step_grid(schedule, settings.t, settings.nfe, settings.grid);
  SamplerOptions options = {settings.sampler, manifest.parameterisation, settings.eta};
  options.guidance = settings.guidance;
  return std::make_shared<const ReverseSteps>(std::move(schedule), std::move(grid), options);
}

}  // namespace

UpscalePlan::UpscalePlan(const Manifest& manifest, const UpscaleSettings& settings,
                         std::int64_t height, std::int64_t width, const std::string& name)
    : settings_(settings) {
  const OutputSize output = output_size(settings, manifest, height, width, name);
  output_height_ = output.height;
  output_width_ = output.width;
  factor_ = output.factor;
  ratio_ = ratio_after_passes(factor_, manifest.scale);
  const int passes = pass_count(factor_, manifest.scale);
  check_input_size(manifest, passes, height, width, name);
  for (int i = 0; i < passes; ++i) {
    passes_.push_back(
        {height, width, TileGrid(height, width, settings.tile, manifest.size_multiple)});
    height *= manifest.scale;
    width *= manifest.scale;
  }
  steps_ = reverse_steps(manifest, settings);
}

std::int64_t UpscalePlan::tiles() const {
  return std::accumulate(
      passes_.begin(), passes_.end(), std::int64_t{0},
      [](std::int64_t tiles, const Pass& pass) { return tiles + pass.grid.tiles(); });
}

void UpscalePlan::set_mask(at::Tensor mask, const std::string& name) {
  const auto is_of = [&mask](std::int64_t height, std::int64_t width) {
    return mask.dim() == 2 && mask.size(0) == height && mask.size(1) == width;
  };
  if (!is_of(height(), width()) && !is_of(output_height_, output_width_)) {
    const auto text = [](std::int64_t height, std::int64_t width) {
      return std::to_string(width) + "x" + std::to_string(height);
    };
    throw InputError(name + ": is " + text(mask.size(0), mask.size(1)) + ", neither the input's " +
                     text(height(), width()) + " nor the output's " +
                     text(output_height_, output_width_));
  }
  if (settings_.start == Start::noise) {
    throw UsageError("a start from noise has no x_sr for a mask to keep; choose another start");
  }
  mask_ = settings_.t > 0 ? std::move(mask) : at::Tensor();
}

at::Tensor mask_of(const Image& picture) {
  return picture.rgb.mean(0).add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(at::kByte);
}

ImageLayout output_layout(const UpscalePlan& plan, const Image& image) {
  ImageLayout layout = layout_of(image);
  layout.width = plan.output_width();
  layout.height = plan.output_height();
  return layout;
}

}  // namespace srdiff
