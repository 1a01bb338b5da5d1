#include "pipeline/whole_image.h"

#include <ATen/ATen.h>

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/integer_math.h"
#include "engine/backend.h"
#include "engine/host_copies.h"
#include "engine/parallel_images.h"
#include "pipeline/memory_backoff.h"
#include "srdiff/back_projection.h"
#include "srdiff/intermediate.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"
#include "srdiff/step_grid.h"

namespace srdiff {
namespace {

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
    stop_if(observer_.cancelled);
    const at::Tensor x_t = start(x_sr, noise_like(condition, settings_.t));
    show(UpscaleState::Kind::x_t, x_t, settings_.t);

    const Schedule& schedule = model_.schedule();
    const SamplerOptions options{settings_.sampler, model_.manifest().parameterisation,
                                 settings_.eta};
    const at::Tensor x0 = sample(
        schedule, step_grid(schedule, settings_.t, settings_.nfe, settings_.grid), x_t,
        [&](const at::Tensor& x, int t) {
          at::Tensor output = model_.denoise(condition, x, t);
          watch(output);
          return output;
        },
        [&](int t) { return noise_like(condition, t); }, options,
        [&](const StepState& state) { after_step(state); });
    at::Tensor result = crop(x0).clamp(-1.0, 1.0);
    if (settings_.color_fix == ColorFix::consistency) {
      const at::Tensor own = padded.slice(2, 0, lr.size(2)).slice(3, 0, lr.size(3));
      result = back_project(result, own.contiguous());
    }
    watch(result);
    return result;
  }

  void take_back_progress() {
    if (reported_ > 0) {
      progress_.add(-reported_);
      reported_ = 0;
    }
  }

  /// Whether the denoiser's outputs and the result were finite; waits for the device.
  bool was_finite() const { return !zero_.defined() || zero_.item<float>() == 0.0F; }

 private:
  /// Looks at values, which clipping may hide, without waiting for them. A finite one times 0 is 0,
  /// another is NaN: on a GPU that is three kernels, and all(isfinite) seven.
  void watch(const at::Tensor& values) {
    const at::Tensor zero = values.mul(0.0).sum();
    zero_ = zero_.defined() ? zero_ + zero : zero;
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

  void after_step(const StepState& state) {
    show(UpscaleState::Kind::x0, state.x0, state.t, state.evaluation);
    const auto evaluations = static_cast<std::int64_t>(keys_.size());
    reported_ += evaluations;
    progress_.add(evaluations);
    stop_if(observer_.cancelled);
  }

  const Model& model_;
  const UpscaleSettings& settings_;
  const UpscaleObserver& observer_;
  Progress& progress_;
  std::int64_t first_image_;
  std::vector<std::uint64_t> keys_;
  at::Tensor zero_;            ///< the sum of all values watched, each times 0
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

  /// Some back ends take one image a call (see Backend::one_image_per_call).
  void make(std::int64_t first, std::int64_t last) {
    const std::int64_t images =
        backend_for(model_.device()).one_image_per_call() ? 1 : last - first;
    parts_.clear();
    for (std::int64_t i = first; i < last; i += images) {
      parts_.push_back(
          {lr_.slice(0, i, i + images), Run(model_, settings_, observer_, progress_, i)});
    }
    try {
      run_parts();
    } catch (...) {
      for (Part& part : parts_) {
        part.run.take_back_progress();
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
      results.push_back(part.run.was_finite() ? part.result : in_float32(part.lr));
    }
    return results.size() == 1 ? results.front() : at::cat(results);
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
    if (backend_for(model_.device()).one_image_per_call() && !observer_.on_state) {
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
    Run run(exact, settings_, quiet, none, 0);
    at::Tensor result = run(lr).to(at::kCPU);
    model_.require_finite_picture(result, run.was_finite());
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

}  // namespace

OnePiece in_one_piece(const Model& model, const UpscaleSettings& settings,
                      const UpscaleObserver& observer, const at::Tensor& lr, std::int64_t at_once) {
  OnePieceRun run(model, settings, observer, lr);
  const std::int64_t fitted = run_with_memory_backoff(
      lr.size(0), at_once, "pictures",
      [&](std::int64_t first, std::int64_t last) { run.make(first, last); },
      [&](std::int64_t, std::int64_t) { run.keep(); }, [&] { model.drop_recordings(); });
  return {run.result(), fitted};
}

}  // namespace srdiff
