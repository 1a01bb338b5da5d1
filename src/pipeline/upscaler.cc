#include "srdiff/upscaler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/backend.h"
#include "engine/parallel_images.h"
#include "pipeline/call_memo.h"
#include "pipeline/mask.h"
#include "pipeline/row_stages.h"
#include "pipeline/tiled_image.h"
#include "pipeline/whole_image.h"
#include "srdiff/error.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

/// rgb [1,3,h,w], alpha [1,1,h,w] → rgb in which invisible pixels (alpha 0) have the mean colour of
/// the visible ones around, taken from the next coarser scale that has any (pull-push). Otherwise
/// the colour that a file hides there, often black, would show as a seam along the visible parts.
at::Tensor fill_transparent(const at::Tensor& rgb, const at::Tensor& alpha) {
  const at::Tensor visible = alpha > 0;
  const std::int64_t h = rgb.size(2);
  const std::int64_t w = rgb.size(3);
  if (visible.all().item<bool>() || (h == 1 && w == 1)) {
    return rgb;
  }
  const auto halve = [](const at::Tensor& image) {
    return at::avg_pool2d(image, 2, 2, 0, /*ceil_mode=*/true, /*count_include_pad=*/false);
  };
  const at::Tensor weight = halve(alpha);
  const at::Tensor mean = halve(rgb * alpha) / weight.clamp_min(std::numeric_limits<float>::min());
  const at::Tensor coarse = fill_transparent(mean, weight);
  return at::where(visible, rgb, at::upsample_bilinear2d(coarse, {h, w}, /*align_corners=*/false));
}

/// The colours of a picture that the networks see, [3,h,w].
at::Tensor network_input(const Image& image) {
  return image.alpha.defined()
             ? fill_transparent(image.rgb.unsqueeze(0), image.alpha.unsqueeze(0)).squeeze(0)
             : image.rgb;
}

/// Calls work() for a picture. When memory runs out, throws a MemoryError that names the picture's
/// size.
template <typename Work>
auto within_memory(const Manifest& manifest, const UpscalePlan& plan, const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) {
      throw;
    }
    const TileGrid& grid = plan.passes().front().grid;
    throw MemoryError("not enough memory to enlarge " + std::to_string(plan.width()) + "x" +
                      std::to_string(plan.height()) + " pixels" +
                      (plan.is_tiled()
                           ? " in tiles of " + std::to_string(grid.tile_width()) + "x" +
                                 std::to_string(grid.tile_height()) +
                                 "; take smaller ones, fewer threads or a smaller picture"
                       : manifest.tile ? " in one piece; take tiles, or a smaller picture"
                                       : "; take a smaller picture"));
  }
}

/// Rows of the output's alpha [1,rows,W] in [0,1]; undefined where the picture has none.
at::Tensor enlarged_alpha(const Image& image, const UpscalePlan& plan, RowRange rows) {
  if (!image.alpha.defined()) {
    return {};
  }
  return resize_bicubic_rows(image.alpha.unsqueeze(0), 0, image.height(), plan.factor(), rows,
                             plan.output_width())[0]
      .clamp(0.0, 1.0);
}

/// The rows that `make` hands to its sink, as one picture [1,3,H,W].
template <typename Make>
at::Tensor all_rows(const Make& make) {
  std::vector<at::Tensor> parts;
  make([&parts](const at::Tensor& rows) { parts.push_back(rows); });
  return parts.size() == 1 ? parts.front() : at::cat(parts, 2);
}

void check_batch(const at::Tensor& lr) {
  if (lr.dim() != 4 || lr.size(1) != 3) {
    throw InputError("the upscaler takes a batch [N,3,h,w]");
  }
}

void check_planned_size(const UpscalePlan& plan, std::int64_t height, std::int64_t width) {
  if (height != plan.height() || width != plan.width()) {
    throw InputError("the input has another size than its plan");
  }
}

/// What an observer is told of the progress of `units` of a work of `all`, behind `before` others:
/// that of the whole.
std::function<void(const UpscaleProgress&)> progress_of_share(const UpscaleObserver& observer,
                                                              std::int64_t before,
                                                              std::int64_t units,
                                                              std::int64_t all) {
  if (!observer.on_progress) {
    return {};
  }
  return [tell = observer.on_progress, before, units, all](const UpscaleProgress& share) {
    const std::int64_t calls = share.calls_total / units;  // for each
    tell({before * calls + share.calls_done, all * calls});
  };
}

}  // namespace

UpscalePlan Upscaler::plan(std::int64_t height, std::int64_t width, const UpscaleSettings& settings,
                           const std::string& name) const {
  return {model_.manifest(), settings, height, width, name};
}

Upscaler Upscaler::remembering(std::size_t max_bytes) const {
  Upscaler other = *this;
  other.memo_ = std::make_shared<CallMemo>(max_bytes);
  return other;
}

std::int64_t Upscaler::images_at_once(const UpscalePlan& plan) const {
  // On the CPU the tiles of one picture keep all threads busy; a mask is one picture's own.
  const bool alone =
      plan.is_masked() || (backend_for(model_.device()).one_image_per_call() && plan.is_tiled());
  return alone ? 1 : wanted_together(plan.height(), plan.width(), plan.settings().batch);
}

std::int64_t Upscaler::wanted_together(std::int64_t height, std::int64_t width,
                                       const std::optional<int>& batch) const {
  if (backend_for(model_.device()).one_image_per_call()) {
    // Each holds memory of its own; large ones keep several threads busy by themselves.
    constexpr std::int64_t most_side_by_side = std::int64_t{96} * 96;
    return height * width <= most_side_by_side ? at::get_num_threads() : 1;
  }
  if (batch) {
    return *batch;
  }
  const Manifest& manifest = model_.manifest();
  constexpr std::int64_t images = 64;  // enough to keep a GPU busy
  const std::int64_t most = images * manifest.native_size * manifest.native_size;
  const std::int64_t output = height * width * manifest.scale * manifest.scale;
  return std::max<std::int64_t>(1, std::min(most, model_.device_pixels()) / output);
}

std::int64_t Upscaler::together(std::int64_t height, std::int64_t width,
                                const std::optional<int>& batch) const {
  return std::clamp<std::int64_t>(*fitting_pixels_ / (height * width), 1,
                                  wanted_together(height, width, batch));
}

at::Tensor Upscaler::upscale_whole(const at::Tensor& lr, const UpscalePlan& plan,
                                   const UpscalePlan::Pass& pass,
                                   const std::vector<std::uint64_t>& keys,
                                   const UpscaleObserver& observer) const {
  const MethodStages stages(model_.manifest(), plan, pass, memo_);
  const std::int64_t at_once = together(pass.height, pass.width, plan.settings().batch);
  WholeImages made = upscale_whole_images(model_, stages, pass.grid, keys, observer, lr, at_once);
  if (made.at_once < at_once) {
    *fitting_pixels_ = made.at_once * pass.height * pass.width;
  }
  return std::move(made.images);
}

void Upscaler::upscale_tiled(const at::Tensor& lr, const UpscalePlan& plan,
                             const UpscalePlan::Pass& pass, std::uint64_t key,
                             const UpscaleObserver& observer, const RowSink& sink) const {
  const MethodStages stages(model_.manifest(), plan, pass, memo_);
  const std::int64_t tile_height = pass.grid.tile_height();
  const std::int64_t tile_width = pass.grid.tile_width();
  const std::int64_t at_once = together(tile_height, tile_width, plan.settings().batch);
  TiledRun run(model_, stages, pass.grid, observer, at_once);
  run(lr, key, sink);
  if (run.tiles_at_once() < at_once) {
    *fitting_pixels_ = run.tiles_at_once() * tile_height * tile_width;
  }
}

void Upscaler::run_pass(const at::Tensor& lr, const UpscalePlan& plan,
                        const UpscalePlan::Pass& pass, std::uint64_t key,
                        const UpscaleObserver& observer, const RowSink& sink) const {
  if (pass.grid.tiles() == 1) {
    sink(upscale_whole(lr, plan, pass, {key}, observer));
  } else {
    upscale_tiled(lr, plan, pass, key, observer, sink);
  }
}

at::Tensor Upscaler::upscale(const at::Tensor& lr, const UpscaleSettings& settings,
                             const UpscaleObserver& observer) const {
  check_batch(lr);
  UpscaleSettings one_pass = settings;
  one_pass.scale = model_.manifest().scale;
  one_pass.width = one_pass.height = one_pass.long_side = std::nullopt;
  one_pass.megapixels.reset();
  return upscale(lr, plan(lr.size(2), lr.size(3), one_pass), observer);
}

at::Tensor Upscaler::upscale(const at::Tensor& lr, const UpscalePlan& plan,
                             const UpscaleObserver& observer) const {
  check_batch(lr);
  check_planned_size(plan, lr.size(2), lr.size(3));
  if (plan.is_masked()) {
    throw InputError("a batch takes no mask");
  }
  const c10::InferenceMode no_gradients;
  const Manifest& manifest = model_.manifest();
  if (lr.size(0) == 0) {
    return at::empty({0, 3, lr.size(2) * manifest.scale, lr.size(3) * manifest.scale});
  }
  const UpscalePlan::Pass& pass = plan.passes().front();
  return within_memory(manifest, plan, [&] {
    std::vector<std::uint64_t> keys(static_cast<std::size_t>(lr.size(0)));
    run_in_parallel(lr.size(0), [&](std::int64_t i) {
      keys[static_cast<std::size_t>(i)] = noise_key(plan.settings().seed, lr[i]);
    });
    if (!plan.is_tiled()) {
      return upscale_whole(lr, plan, pass, keys, observer);
    }
    std::vector<at::Tensor> results;
    for (const at::Tensor& image : lr.split(1)) {
      const std::uint64_t key = keys[results.size()];
      results.push_back(all_rows(
          [&](const RowSink& sink) { upscale_tiled(image, plan, pass, key, observer, sink); }));
    }
    return at::cat(results);
  });
}

void Upscaler::upscale(const Image& image, const UpscalePlan& plan, const PictureRowSink& sink,
                       const UpscaleObserver& observer) const {
  const c10::InferenceMode no_gradients;
  check_planned_size(plan, image.height(), image.width());
  std::optional<LaidMask> mask;
  if (plan.is_masked()) {
    mask.emplace(plan.mask(), plan.output_height(), plan.output_width());
  }
  std::int64_t done = 0;
  const RowSink finished = [&](const at::Tensor& rows) {
    const RowRange range = {done, done + rows.size(2)};
    done = range.last;
    // Only here is black exactly x_sr: the colour fix and the last resize reach across its edges.
    const at::Tensor picture =
        mask ? mix(rows.slice(1, 0, 3), rows.slice(1, 3), mask->rows(range, plan.output_width()))
             : rows;
    sink(picture[0].clamp(-1.0, 1.0), enlarged_alpha(image, plan, range));
  };

  within_memory(model_.manifest(), plan, [&] {
    at::Tensor input = network_input(image).unsqueeze(0);
    const std::uint64_t picture_key = noise_key(plan.settings().seed, input[0]);
    const int later_passes = static_cast<int>(plan.passes().size()) - 1;
    std::int64_t tiles = 0;
    UpscaleObserver its = observer;
    for (int i = 0; i < later_passes; ++i) {
      const UpscalePlan::Pass& pass = plan.passes()[static_cast<std::size_t>(i)];
      const std::uint64_t key = pass_noise_key(picture_key, i);
      its.on_progress = progress_of_share(observer, tiles, pass.grid.tiles(), plan.tiles());
      tiles += pass.grid.tiles();
      input = all_rows([&](const RowSink& rows) { run_pass(input, plan, pass, key, its, rows); });
      its.on_weight_map = {};  // it is shown of the first pass
    }
    const UpscalePlan::Pass& last = plan.passes().back();
    its.on_progress = progress_of_share(observer, tiles, last.grid.tiles(), plan.tiles());
    const std::uint64_t key = pass_noise_key(picture_key, later_passes);
    const ResizeRatio ratio = plan.ratio();
    if (ratio.up == ratio.down) {
      run_pass(input, plan, last, key, its, finished);
      return;
    }
    const int scale = model_.manifest().scale;
    ResizedRows resized({last.height * scale, last.width * scale},
                        {plan.output_height(), plan.output_width()}, ratio, finished);
    run_pass(input, plan, last, key, its, [&](const at::Tensor& rows) { resized.add(rows); });
  });
}

Image Upscaler::upscale(const Image& image, const UpscaleSettings& settings,
                        const UpscaleObserver& observer) const {
  return upscale_image(image, plan(image.height(), image.width(), settings), observer);
}

Image Upscaler::upscale_image(const Image& image, const UpscalePlan& plan,
                              const UpscaleObserver& observer) const {
  std::vector<at::Tensor> rgb;
  std::vector<at::Tensor> alpha;
  const auto collect = [&](const at::Tensor& rgb_rows, const at::Tensor& alpha_rows) {
    rgb.push_back(rgb_rows);
    if (alpha_rows.defined()) {
      alpha.push_back(alpha_rows);
    }
  };
  upscale(image, plan, collect, observer);
  Image result = image;
  result.rgb = at::cat(rgb, 1);
  result.alpha = alpha.empty() ? at::Tensor() : at::cat(alpha, 1);
  return result;
}

std::string Upscaler::upscale_encoded(const Image& image, const UpscalePlan& plan,
                                      const std::string& extension, const std::string& name,
                                      const EncodeOptions& options,
                                      const UpscaleObserver& observer) const {
  return within_memory(model_.manifest(), plan, [&] {
    ImageEncoder encoder(output_layout(plan, image), extension, name, options);
    upscale(
        image, plan,
        [&](const at::Tensor& rgb, const at::Tensor& alpha) { encoder.add(rgb, alpha); }, observer);
    return encoder.finish();
  });
}

std::vector<Image> Upscaler::upscale(const std::vector<Image>& images, const UpscalePlan& plan,
                                     const UpscaleObserver& observer) const {
  std::vector<Image> results;
  results.reserve(images.size());
  if (!plan.is_one_pass() || plan.is_masked() || images.size() == 1) {
    UpscaleObserver its = observer;
    for (const Image& image : images) {
      its.on_progress = progress_of_share(observer, static_cast<std::int64_t>(results.size()), 1,
                                          static_cast<std::int64_t>(images.size()));
      results.push_back(upscale_image(image, plan, its));
    }
    return results;
  }
  std::vector<at::Tensor> lr;
  lr.reserve(images.size());
  for (const Image& image : images) {
    lr.push_back(network_input(image));
  }
  const at::Tensor rgb = upscale(at::stack(lr), plan, observer);
  for (std::size_t i = 0; i < images.size(); ++i) {
    Image result = images[i];
    result.rgb = rgb[static_cast<std::int64_t>(i)];
    result.alpha = enlarged_alpha(images[i], plan, {0, rgb.size(2)});
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace srdiff
