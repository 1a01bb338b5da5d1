#include "srdiff/upscaler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/backend.h"
#include "pipeline/row_stages.h"
#include "pipeline/scale_passes.h"
#include "pipeline/tiled_image.h"
#include "pipeline/whole_image.h"
#include "srdiff/back_projection.h"
#include "srdiff/error.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

/// rgb [1,3,h,w], alpha [1,1,h,w] → colours whose weight is 0 replaced by the mean of the visible
/// ones around, found at the next coarser scale that has any (pull-push). Without it, what a file
/// keeps under its transparent parts, often black, would show as a seam along their edges.
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

/// work(), on a picture; says of it when memory does not hold what it takes.
template <typename Work>
auto within_memory(const Manifest& manifest, const UpscaleSettings& settings, std::int64_t height,
                   std::int64_t width, const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) {
      throw;
    }
    const bool tiled = takes_tiles(manifest, settings, height, width);
    throw MemoryError("not enough memory to enlarge " + std::to_string(width) + "x" +
                      std::to_string(height) + " pixels" +
                      (tiled ? " in tiles of " + std::to_string(settings.tile.size) +
                                   "; take smaller ones, fewer threads or a smaller picture"
                       : manifest.tile ? " in one piece; take tiles, or a smaller picture"
                                       : "; take a smaller picture"));
  }
}

/// Rows of the output's alpha [1,rows,W] in [0,1]; undefined where the picture has none.
at::Tensor enlarged_alpha(const Image& image, const UpscaleSettings& settings, RowRange rows) {
  if (!image.alpha.defined()) {
    return {};
  }
  return resize_bicubic_rows(image.alpha.unsqueeze(0), 0, image.height(),
                             ratio_to_scale(settings.scale, 1), rows,
                             output_side(settings, image.width()))[0]
      .clamp(0.0, 1.0);
}

}  // namespace

ImageLayout output_layout(const UpscaleSettings& settings, const Image& image) {
  ImageLayout layout = layout_of(image);
  layout.width = output_side(settings, image.width());
  layout.height = output_side(settings, image.height());
  return layout;
}

std::int64_t Upscaler::images_at_once(std::int64_t height, std::int64_t width,
                                      const UpscaleSettings& settings) const {
  // On the CPU tiles of one picture are work enough for all threads.
  const bool alone = backend_for(model_.device()).one_image_per_call() &&
                     takes_tiles(model_.manifest(), settings, height, width);
  return alone ? 1 : wanted_together(height, width, settings);
}

std::int64_t Upscaler::wanted_together(std::int64_t height, std::int64_t width,
                                       const UpscaleSettings& settings) const {
  if (backend_for(model_.device()).one_image_per_call()) {
    return at::get_num_threads();
  }
  if (settings.batch) {
    return *settings.batch;
  }
  const Manifest& manifest = model_.manifest();
  constexpr std::int64_t images = 64;  // from there on a GPU is busy
  const std::int64_t most = images * manifest.native_size * manifest.native_size;
  const std::int64_t output = height * width * manifest.scale * manifest.scale;
  return std::max<std::int64_t>(1, std::min(most, model_.device_pixels()) / output);
}

std::int64_t Upscaler::together(std::int64_t height, std::int64_t width,
                                const UpscaleSettings& settings) const {
  return std::clamp<std::int64_t>(*fitting_pixels_ / (height * width), 1,
                                  wanted_together(height, width, settings));
}

at::Tensor Upscaler::in_one_piece(const at::Tensor& lr, const UpscaleSettings& settings,
                                  const UpscaleObserver& observer) const {
  const std::int64_t at_once = together(lr.size(2), lr.size(3), settings);
  OnePiece made = srdiff::in_one_piece(model_, settings, observer, lr, at_once);
  if (made.at_once < at_once) {
    *fitting_pixels_ = made.at_once * lr.size(2) * lr.size(3);
  }
  return std::move(made.images);
}

/// One pass over one image [1,3,h,w], in rows.
void Upscaler::pass(const at::Tensor& lr, const UpscaleSettings& settings,
                    const UpscaleObserver& observer, const RowSink& sink) const {
  const Manifest& manifest = model_.manifest();
  const TileGrid grid(lr.size(2), lr.size(3), settings.tile, manifest.size_multiple);
  if (grid.tiles() == 1) {
    sink(in_one_piece(lr, settings, observer));
    return;
  }
  const std::int64_t at_once = together(grid.tile_height(), grid.tile_width(), settings);
  const std::uint64_t key = noise_key(settings.seed, lr[0]);
  TiledRun run(model_, settings, observer, grid, at_once);
  if (settings.color_fix == ColorFix::consistency) {
    BackProjectedRows fix(lr, manifest.scale, sink);
    run(lr, key, [&](const at::Tensor& rows) { fix.add(rows); });
  } else {
    run(lr, key, sink);
  }
  if (run.tiles_at_once() < at_once) {
    *fitting_pixels_ = run.tiles_at_once() * grid.tile_height() * grid.tile_width();
  }
}

at::Tensor Upscaler::upscale(const at::Tensor& lr, const UpscaleSettings& settings,
                             const UpscaleObserver& observer) const {
  if (lr.dim() != 4 || lr.size(1) != 3) {
    throw InputError("the upscaler takes a batch [N,3,h,w]");
  }
  const Manifest& manifest = model_.manifest();
  UpscaleSettings one_pass = settings;
  one_pass.scale = manifest.scale;
  check_input_size(manifest, one_pass, lr.size(2), lr.size(3));
  const c10::InferenceMode no_gradients;
  if (lr.size(0) == 0) {
    return at::empty({0, 3, lr.size(2) * manifest.scale, lr.size(3) * manifest.scale});
  }
  return within_memory(manifest, settings, lr.size(2), lr.size(3), [&] {
    if (!takes_tiles(manifest, settings, lr.size(2), lr.size(3))) {
      return in_one_piece(lr, settings, observer);
    }
    std::vector<at::Tensor> results;
    for (const at::Tensor& image : lr.split(1)) {
      std::vector<at::Tensor> rows;
      pass(image, settings, observer, [&](const at::Tensor& strip) { rows.push_back(strip); });
      results.push_back(at::cat(rows, 2));
    }
    return at::cat(results);
  });
}

void Upscaler::upscale(const Image& image, const UpscaleSettings& settings,
                       const PictureRowSink& sink, const UpscaleObserver& observer) const {
  const c10::InferenceMode no_gradients;
  const int scale = model_.manifest().scale;
  check_input_size(model_.manifest(), settings, image.height(), image.width());
  const std::int64_t height = output_side(settings, image.height());
  const std::int64_t width = output_side(settings, image.width());
  std::int64_t done = 0;
  const RowSink finished = [&](const at::Tensor& rows) {
    const RowRange range = {done, done + rows.size(2)};
    done = range.last;
    sink(rows[0].clamp(-1.0, 1.0), enlarged_alpha(image, settings, range));
  };

  within_memory(model_.manifest(), settings, image.height(), image.width(), [&] {
    at::Tensor input = network_input(image).unsqueeze(0);
    for (int left = pass_count(settings.scale, scale); left > 1; --left) {
      input = upscale(input, settings, observer);
    }
    const ResizeRatio ratio = ratio_to_scale(settings.scale, scale);
    if (ratio.up == ratio.down) {
      pass(input, settings, observer, finished);
      return;
    }
    ResizedRows resized({input.size(2) * scale, input.size(3) * scale}, {height, width}, ratio,
                        finished);
    pass(input, settings, observer, [&](const at::Tensor& rows) { resized.add(rows); });
  });
}

Image Upscaler::upscale(const Image& image, const UpscaleSettings& settings,
                        const UpscaleObserver& observer) const {
  std::vector<at::Tensor> rgb;
  std::vector<at::Tensor> alpha;
  const auto collect = [&](const at::Tensor& rgb_rows, const at::Tensor& alpha_rows) {
    rgb.push_back(rgb_rows);
    if (alpha_rows.defined()) {
      alpha.push_back(alpha_rows);
    }
  };
  upscale(image, settings, collect, observer);
  Image result = image;
  result.rgb = at::cat(rgb, 1);
  result.alpha = alpha.empty() ? at::Tensor() : at::cat(alpha, 1);
  return result;
}

std::string Upscaler::upscale_encoded(const Image& image, const UpscaleSettings& settings,
                                      const std::string& extension, const std::string& name,
                                      const EncodeOptions& options,
                                      const UpscaleObserver& observer) const {
  return within_memory(model_.manifest(), settings, image.height(), image.width(), [&] {
    ImageEncoder encoder(output_layout(settings, image), extension, name, options);
    upscale(
        image, settings,
        [&](const at::Tensor& rgb, const at::Tensor& alpha) { encoder.add(rgb, alpha); }, observer);
    return encoder.finish();
  });
}

std::vector<Image> Upscaler::upscale(const std::vector<Image>& images,
                                     const UpscaleSettings& settings,
                                     const UpscaleObserver& observer) const {
  std::vector<Image> results;
  results.reserve(images.size());
  if (settings.scale != model_.manifest().scale || images.size() == 1) {
    for (const Image& image : images) {
      results.push_back(upscale(image, settings, observer));
    }
    return results;
  }
  std::vector<at::Tensor> lr;
  lr.reserve(images.size());
  for (const Image& image : images) {
    lr.push_back(network_input(image));
  }
  const at::Tensor rgb = upscale(at::stack(lr), settings, observer);
  for (std::size_t i = 0; i < images.size(); ++i) {
    Image result = images[i];
    result.rgb = rgb[static_cast<std::int64_t>(i)];
    result.alpha = enlarged_alpha(images[i], settings, {0, rgb.size(2)});
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace srdiff
