#include "srdiff/upscaler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "enum_words.h"
#include "finite.h"
#include "fitting_pieces.h"
#include "host_copies.h"
#include "rounding.h"
#include "side_by_side.h"
#include "srdiff/consistency.h"
#include "srdiff/error.h"
#include "srdiff/intermediate.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"
#include "srdiff/step_grid.h"
#include "strips.h"
#include "tiled_run.h"

namespace srdiff {
namespace {

constexpr EnumWords<Start, 3> start_words = {
    "the start", {{{Start::predicted, "predicted"}, {Start::sr, "sr"}, {Start::noise, "noise"}}}};

/// The smallest side that has a neighbour to learn from.
constexpr std::int64_t min_side = 2;

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

/// Counts the evaluations of images that may run side by side.
class Progress {
 public:
  Progress(const UpscaleObserver& observer, std::int64_t evaluations)
      : observer_(observer), total_(evaluations) {}

  /// Less than 0 where work is started anew.
  void add(std::int64_t evaluations) {
    if (observer_.on_progress) {
      const std::lock_guard lock(mutex_);
      done_ += evaluations;
      observer_.on_progress({done_, total_});
    }
  }

 private:
  const UpscaleObserver& observer_;
  std::int64_t total_;
  std::mutex mutex_;
  std::int64_t done_ = 0;
};

/// Images in one piece on their way through the method.
class Run {
 public:
  Run(const Model& model, const UpscaleSettings& settings, const UpscaleObserver& observer,
      Progress& progress, std::int64_t first_image)
      : model_(model),
        settings_(settings),
        observer_(observer),
        progress_(progress),
        first_image_(first_image) {}

  /// [n,3,h,w] → [n,3,s·h,s·w] in [−1,1] on the model's device, which may still be at work on it.
  at::Tensor operator()(const at::Tensor& lr) {
    const std::int64_t scale = model_.manifest().scale;
    height_ = lr.size(2) * scale;
    width_ = lr.size(3) * scale;
    for (std::int64_t i = 0; i < lr.size(0); ++i) {
      keys_.push_back(noise_key(settings_.seed, lr[i]));
    }
    const std::int64_t multiple = model_.manifest().size_multiple;
    const at::Tensor padded =
        reflected_window(lr, {0, round_up(lr.size(2), multiple), 0, round_up(lr.size(3), multiple)})
            .to(model_.device());
    const bool from_x_sr = model_.manifest().condition == Condition::x_sr;
    at::Tensor x_sr;
    if (needs_regressor(settings_, model_.manifest())) {
      x_sr = model_.regress(padded);
      show(UpscaleState::Kind::x_sr, x_sr, 0);
    }
    const at::Tensor condition =
        from_x_sr ? x_sr
                  : resize_bicubic(padded, padded.size(2) * scale, padded.size(3) * scale)
                        .clamp(-1.0, 1.0);
    stop_if_cancelled();
    const at::Tensor x_t = start(x_sr, noise_like(condition, settings_.t));
    show(UpscaleState::Kind::x_t, x_t, settings_.t);

    const Schedule& schedule = model_.schedule();
    const SamplerOptions options{settings_.sampler, model_.manifest().parameterisation,
                                 settings_.eta};
    const at::Tensor x0 = sample(
        schedule, step_grid(schedule, settings_.t, settings_.nfe, settings_.grid), x_t,
        [&](const at::Tensor& x, int t) { return watched(model_.denoise(condition, x, t)); },
        [&](int t) { return noise_like(condition, t); }, options,
        [&](const StepState& state) { after_step(state); });
    const at::Tensor result = crop(x0).clamp(-1.0, 1.0);
    return settings_.color_fix == ColorFix::consistency
               ? consistent(result, lr.to(model_.device(), /*non_blocking=*/true))
               : result;
  }

  /// Takes back what it told of its progress.
  void is_given_up() {
    if (reported_ > 0) {
      progress_.add(-reported_);
      reported_ = 0;
    }
  }

  /// Whether a reduced precision's outputs were finite; waits for the device.
  bool was_finite() const { return !finite_.defined() || finite_.item<bool>(); }

 private:
  /// Looks at an output, which clipping would hide, without waiting for it.
  at::Tensor watched(const at::Tensor& output) {
    if (model_.precision() != c10::kFloat) {
      const at::Tensor finite = at::isfinite(output).all();
      finite_ = finite_.defined() ? finite_.logical_and(finite) : finite;
    }
    return output;
  }

  at::Tensor start(const at::Tensor& x_sr, const at::Tensor& eps) {
    if (settings_.start == Start::noise) {
      return eps;
    }
    at::Tensor weight_map;
    if (settings_.weight_map) {
      weight_map = model_.weigh(x_sr);
      show(UpscaleState::Kind::weight_map, weight_map, 0);
    }
    return intermediate_state(model_.schedule(), settings_.t, x_sr, weight_map, settings_.beta,
                              eps);
  }

  at::Tensor noise_like(const at::Tensor& image, int t) const {
    return noise_batch(keys_, t, image.size(2), image.size(3), model_.device());
  }

  at::Tensor crop(const at::Tensor& image) const {
    return image.slice(2, 0, height_).slice(3, 0, width_);
  }

  void show(UpscaleState::Kind kind, const at::Tensor& value, int t, int evaluation = 0) const {
    if (observer_.on_state) {
      observer_.on_state({kind, first_image_, t, evaluation, crop(value).to(at::kCPU)});
    }
  }

  void stop_if_cancelled() const {
    if (observer_.cancelled && observer_.cancelled()) {
      throw Cancelled();
    }
  }

  void after_step(const StepState& state) {
    show(UpscaleState::Kind::x0, state.x0, state.t, state.evaluation);
    const auto evaluations = static_cast<std::int64_t>(keys_.size());
    reported_ += evaluations;
    progress_.add(evaluations);
    stop_if_cancelled();
  }

  const Model& model_;
  const UpscaleSettings& settings_;
  const UpscaleObserver& observer_;
  Progress& progress_;
  std::int64_t first_image_;
  std::vector<std::uint64_t> keys_;
  at::Tensor finite_;
  std::int64_t reported_ = 0;  ///< evaluations
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
};

/// Images in one piece: some are made at a time, and kept when all of these are.
class OnePieceRun {
 public:
  OnePieceRun(const Model& model, const UpscaleSettings& settings, const UpscaleObserver& observer,
              const at::Tensor& lr)
      : model_(model),
        settings_(settings),
        observer_(observer),
        lr_(lr),
        copies_(model.device()),
        progress_(observer, lr.size(0) * settings.nfe) {}

  /// On the CPU each image is a call of its own: kernels order their sums by the batch's size, and
  /// an image's bytes must not depend on its company.
  void make(std::int64_t first, std::int64_t last) {
    const std::int64_t images = model_.device().is_cpu() ? 1 : last - first;
    parts_.clear();
    for (std::int64_t i = first; i < last; i += images) {
      parts_.push_back(
          {lr_.slice(0, i, i + images), Run(model_, settings_, observer_, progress_, i)});
    }
    try {
      run_parts();
    } catch (...) {
      for (Part& part : parts_) {
        part.run.is_given_up();
      }
      throw;
    }
  }

  void keep() { std::move(parts_.begin(), parts_.end(), std::back_inserter(kept_)); }

  /// All images, on the CPU.
  at::Tensor result() {
    copies_.wait();
    std::vector<at::Tensor> results;
    results.reserve(kept_.size());
    for (const Part& part : kept_) {
      const bool finite = part.run.was_finite() && is_finite(part.result);
      results.push_back(finite ? part.result : in_float32(part.lr));
    }
    return at::cat(results);
  }

 private:
  /// Images that one call of the networks takes.
  struct Part {
    at::Tensor lr;
    Run run;
    at::Tensor result = {};
  };

  void run_parts() {
    const auto count = static_cast<std::int64_t>(parts_.size());
    const auto run = [this](std::int64_t i) {
      Part& part = parts_[static_cast<std::size_t>(i)];
      part.result = copies_.add(part.run(part.lr));
    };
    // States are shown of one image after another.
    if (model_.device().is_cpu() && !observer_.on_state) {
      side_by_side(count, run);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      run(i);
    }
  }

  at::Tensor in_float32(const at::Tensor& lr) const {
    const Model exact = model_.in_float32();
    UpscaleObserver quiet;
    quiet.cancelled = observer_.cancelled;
    Progress none(quiet, 0);
    at::Tensor result = Run(exact, settings_, quiet, none, 0)(lr).to(at::kCPU);
    model_.require_finite_picture(result);
    return result;
  }

  const Model& model_;
  const UpscaleSettings& settings_;
  const UpscaleObserver& observer_;
  const at::Tensor& lr_;
  HostCopies copies_;
  Progress progress_;
  std::vector<Part> parts_;
  std::vector<Part> kept_;
};

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

void check_settings(const UpscaleSettings& settings, const Manifest& manifest) {
  if (!(settings.beta >= 0.0 && settings.beta <= 1.0)) {
    throw UsageError("beta is outside 0 to 1");
  }
  if (!(settings.eta >= 0.0 && settings.eta <= 1.0)) {
    throw UsageError("eta is outside 0 to 1");
  }
  if (settings.batch && *settings.batch < 1) {
    throw UsageError("batch = " + std::to_string(*settings.batch) + "; give 1 or more");
  }
  if (settings.start == Start::noise && settings.t != manifest.T) {
    throw UsageError("a start from noise is at t = " + std::to_string(manifest.T) +
                     "; leave t out, or choose another start");
  }
  if (settings.sampler == SamplerKind::ddpm && settings.nfe != settings.t) {
    throw UsageError("ddpm visits every step, so nfe must equal t = " + std::to_string(settings.t) +
                     "; leave nfe out, or use ddim or dpmpp");
  }
  if (settings.start != Start::noise && !manifest.regressor) {
    throw ModelError(manifest.name + ": has no regressor; only --start noise runs without one");
  }
  if (settings.weight_map && !manifest.weight_map) {
    throw ModelError(manifest.name + ": has no weight map; use --no-weight-map");
  }
}

/// Passes of a model that come up to a scale.
int passes(double scale, int model_scale) {
  int count = 1;
  for (double reached = model_scale; reached < scale && model_scale > 1; reached *= model_scale) {
    ++count;
  }
  return count;
}

/// The factor that brings all passes' output to the scale: to a thousandth, in lowest terms.
ResizeRatio ratio_to_scale(double scale, int model_scale) {
  constexpr std::int64_t parts = 1000;
  const auto reached =
      static_cast<std::int64_t>(std::llround(std::pow(model_scale, passes(scale, model_scale))));
  const auto wanted = static_cast<std::int64_t>(std::llround(scale * parts));
  const std::int64_t divisor = std::gcd(wanted, reached * parts);
  return {wanted / divisor, reached * parts / divisor};
}

TileSize resolve_tile(const UpscaleOptions& options, const Manifest& manifest) {
  if (!manifest.tile) {
    if (options.tile.value_or(0) != 0 || options.tile_overlap) {
      throw UsageError(manifest.name +
                       ": its networks look at the whole picture and take no tiles; leave out "
                       "--tile");
    }
    return {};
  }
  const int multiple = manifest.size_multiple;
  constexpr int largest = 1 << 16;
  TileSize tile;
  tile.size = options.tile.value_or(manifest.tile->size);
  tile.overlap = options.tile_overlap.value_or(std::min(manifest.tile->overlap, tile.size / 2));
  if (tile.size < 0 || tile.size > largest || tile.overlap < 0 || tile.overlap > tile.size / 2) {
    throw UsageError("a tile of " + std::to_string(tile.size) + " pixels with an overlap of " +
                     std::to_string(tile.overlap) +
                     " cannot be cut; an overlap is 0 to half a tile");
  }
  tile.size = static_cast<int>(round_up(tile.size, 2 * std::int64_t{multiple}));
  tile.overlap = static_cast<int>(round_up(tile.overlap, multiple));
  return tile;
}

double resolve_scale(const UpscaleOptions& options, const Manifest& manifest) {
  const double scale = options.scale.value_or(manifest.scale);
  if (!(scale >= 1.0 && scale <= 64.0)) {
    throw UsageError("a scale of " + std::to_string(scale) + " is outside 1 to 64");
  }
  if (manifest.scale == 1 && scale > 1.0) {
    throw UsageError(manifest.name + ": does not enlarge; leave out --scale");
  }
  return scale;
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

std::string to_string(Start start) {
  return start_words.word(start);
}

Start parse_start(const std::string& word) {
  return start_words.parse(word);
}

bool needs_regressor(const UpscaleSettings& settings, const Manifest& manifest) {
  return settings.start != Start::noise || manifest.condition == Condition::x_sr;
}

UpscaleSettings resolve(const UpscaleOptions& options, const Manifest& manifest) {
  const ModelDefaults& defaults = manifest.defaults;
  UpscaleSettings settings;
  settings.start = options.start;
  settings.weight_map = options.weight_map && options.start == Start::predicted;
  settings.t = options.t.value_or(options.start == Start::noise ? manifest.T : defaults.t);
  settings.beta = options.beta.value_or(defaults.beta);
  settings.sampler = options.sampler.value_or(defaults.sampler);
  settings.nfe = options.nfe.value_or(
      settings.sampler == SamplerKind::ddpm ? settings.t : std::min(defaults.nfe, settings.t));
  settings.eta = options.eta.value_or(defaults.eta);
  settings.grid = options.grid.value_or(defaults.grid);
  settings.seed = options.seed;
  settings.color_fix = options.color_fix.value_or(defaults.color_fix);
  settings.scale = resolve_scale(options, manifest);
  settings.tile = resolve_tile(options, manifest);
  settings.batch = options.batch;
  check_settings(settings, manifest);
  // Range and fit of t and nfe are the grid's to judge.
  step_grid(Schedule::linear(manifest.T, manifest.beta_start, manifest.beta_end), settings.t,
            settings.nfe, settings.grid);
  return settings;
}

void check_input_size(const Manifest& manifest, const UpscaleSettings& settings,
                      std::int64_t height, std::int64_t width, const std::string& name) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (height < min_side || width < min_side) {
    throw InputError(name + ": " + size +
                     " pixels are too few to enlarge; at least 2x2 are needed");
  }
  std::int64_t limit = manifest.max_input_pixels();
  for (int pass = passes(settings.scale, manifest.scale); pass > 1; --pass) {
    limit /= std::int64_t{manifest.scale} * manifest.scale;
  }
  if (round_up(height, manifest.size_multiple) > limit / round_up(width, manifest.size_multiple)) {
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(limit)));
    const std::string square = std::to_string(side) + "x" + std::to_string(side);
    throw InputError(name + ": " + size + " pixels are more than " + manifest.name + " takes (" +
                     std::to_string(limit) + " pixels, such as " + square +
                     "); crop or reduce it first");
  }
}

bool takes_tiles(const Manifest& manifest, const UpscaleSettings& settings, std::int64_t height,
                 std::int64_t width) {
  return TileGrid(height, width, settings.tile, manifest.size_multiple).tiles() > 1;
}

std::int64_t output_side(const UpscaleSettings& settings, std::int64_t side) {
  return std::llround(static_cast<double>(side) * settings.scale);
}

ImageLayout output_layout(const UpscaleSettings& settings, const Image& image) {
  ImageLayout layout = layout_of(image);
  layout.width = output_side(settings, image.width());
  layout.height = output_side(settings, image.height());
  return layout;
}

std::int64_t Upscaler::images_at_once(std::int64_t height, std::int64_t width,
                                      const UpscaleSettings& settings) const {
  // On the CPU tiles of one picture are work enough for all threads.
  const bool alone =
      model_.device().is_cpu() && takes_tiles(model_.manifest(), settings, height, width);
  return alone ? 1 : wanted_together(height, width, settings);
}

std::int64_t Upscaler::wanted_together(std::int64_t height, std::int64_t width,
                                       const UpscaleSettings& settings) const {
  if (model_.device().is_cpu()) {
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
  OnePieceRun run(model_, settings, observer, lr);
  const std::int64_t at_once = together(lr.size(2), lr.size(3), settings);
  const std::int64_t fitted = in_fitting_pieces(
      lr.size(0), at_once, "pictures",
      [&](std::int64_t first, std::int64_t last) { run.make(first, last); },
      [&](std::int64_t, std::int64_t) { run.keep(); });
  if (fitted < at_once) {
    *fitting_pixels_ = fitted * lr.size(2) * lr.size(3);
  }
  return run.result();
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
    ConsistentStrips fix(lr, manifest.scale, sink);
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

void Upscaler::upscale(const Image& image, const UpscaleSettings& settings, const StripSink& sink,
                       const UpscaleObserver& observer) const {
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
    for (int left = passes(settings.scale, scale); left > 1; --left) {
      input = upscale(input, settings, observer);
    }
    const ResizeRatio ratio = ratio_to_scale(settings.scale, scale);
    if (ratio.up == ratio.down) {
      pass(input, settings, observer, finished);
      return;
    }
    ResizedStrips resized({input.size(2) * scale, input.size(3) * scale}, {height, width}, ratio,
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
  ImageEncoder encoder(output_layout(settings, image), extension, name, options);
  upscale(
      image, settings,
      [&](const at::Tensor& rgb, const at::Tensor& alpha) { encoder.add(rgb, alpha); }, observer);
  return encoder.finish();
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
