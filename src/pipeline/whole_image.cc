#include "pipeline/whole_image.h"

#include <ATen/ATen.h>

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "engine/backend.h"
#include "engine/host_copies.h"
#include "engine/parallel_images.h"
#include "pipeline/float32_fallback.h"
#include "pipeline/memory_backoff.h"
#include "srdiff/noise.h"

namespace srdiff {
namespace {

/// Counts the network calls of images that may run side by side.
class Progress {
 public:
  Progress(const UpscaleObserver& observer, std::int64_t calls)
      : observer_(observer), total_(calls) {}

  /// A number below 0 takes back calls whose work is started anew.
  void add(std::int64_t calls) {
    if (observer_.on_progress) {
      const std::lock_guard lock(mutex_);
      done_ += calls;
      observer_.on_progress({done_, total_});
    }
  }

 private:
  const UpscaleObserver& observer_;
  std::int64_t total_;
  std::mutex mutex_;
  std::int64_t done_ = 0;
};

/// What is the same for all images of a call.
struct WholeRun {
  const Model& model;
  const MethodStages& stages;
  const TileGrid& grid;
  const std::vector<std::uint64_t>& keys;  ///< of the images' noise
};

/// Images that go through the stages together, one call of a network for all of them.
class ImageGroup {
 public:
  ImageGroup(const WholeRun& run, const UpscaleObserver& observer, Progress& progress,
             std::int64_t first_image)
      : run_(run), observer_(observer), progress_(progress), first_image_(first_image) {}

  /// lr [n,3,h,w] → the stages' result on the model's device, which may still be at work on it.
  at::Tensor operator()(const Model& model, const at::Tensor& lr, FiniteWatch& watch) {
    const MethodStages& stages = run_.stages;
    start(model, lr);
    const NoiseSource noise = [&](int t) {
      return noise_batch(keys_, t, canvas_.bottom * scale_, canvas_.right * scale_, model.device());
    };
    const StageContext context = {model, {0, canvas_.bottom * scale_}, noise};
    for (std::size_t i = 0; i < stages.size(); ++i) {
      std::vector<at::Tensor> outputs = stages[i].run(inputs_of(stages[i]), context);
      if (stages[i].is_evaluation()) {
        watch.add(outputs.front());
      }
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        const Plane plane = stages[i].outputs[k];
        planes_[plane] = std::move(outputs[k]);
        tell(plane);
      }
      if (stages[i].reach() == Stage::Reach::window) {
        reported_ += lr.size(0);
        progress_.add(lr.size(0));
      }
      drop_read(i);
    }
    at::Tensor result = std::move(planes_[stages.result()]);
    watch.add(result);
    planes_.clear();
    return result;
  }

  void take_back_progress() {
    if (reported_ > 0) {
      progress_.add(-reported_);
      reported_ = 0;
    }
  }

 private:
  void start(const Model& model, const at::Tensor& lr) {
    scale_ = model.manifest().scale;
    height_ = lr.size(2);
    width_ = lr.size(3);
    canvas_ = {0, run_.grid.canvas_height(), 0, run_.grid.canvas_width()};
    const auto first_key = run_.keys.begin() + first_image_;
    keys_.assign(first_key, first_key + lr.size(0));
    planes_.assign(run_.stages.planes(), at::Tensor());
    planes_[lr_plane] = reflected_window(lr, canvas_).to(model.device());
    if (const LaidMask* mask = run_.stages.mask()) {
      planes_[mask_plane] =
          mask->rows({0, canvas_.bottom * scale_}, canvas_.right * scale_).to(model.device());
      tell(mask_plane);
    }
  }

  std::vector<at::Tensor> inputs_of(const Stage& stage) {
    std::vector<at::Tensor> inputs;
    for (const Plane plane : stage.inputs) {
      if (plane == bicubic_plane && !planes_[plane].defined()) {
        planes_[plane] = bicubic_condition(planes_[lr_plane], canvas_, canvas_, scale_);
      }
      const bool of_picture = plane == lr_plane && stage.reach() == Stage::Reach::rows;
      inputs.push_back(of_picture
                           ? planes_[plane].slice(2, 0, height_).slice(3, 0, width_).contiguous()
                           : planes_[plane]);
    }
    return inputs;
  }

  /// Shows a plane that was made.
  void tell(Plane plane) {
    const std::optional<PlaneState>& state = run_.stages.state(plane);
    if (!state) {
      return;
    }
    if (state->kind == UpscaleState::Kind::weight_map && observer_.on_weight_map) {
      observer_.on_weight_map(
          planes_[plane].slice(2, 0, height_ * scale_).slice(3, 0, width_ * scale_).to(at::kCPU),
          0);
    }
    if (observer_.on_state) {
      const at::Tensor picture =
          planes_[plane].slice(2, 0, height_ * scale_).slice(3, 0, width_ * scale_);
      observer_.on_state(
          {state->kind, first_image_, state->t, state->evaluation, picture.to(at::kCPU)});
    }
    stop_if(observer_.cancelled);
  }

  /// Lets go of the planes that no stage after this one reads. The input stays: it is small, and
  /// the bicubic condition is made from it.
  void drop_read(std::size_t stage) {
    for (Plane plane = lr_plane + 1; plane < planes_.size(); ++plane) {
      const std::vector<std::size_t>& readers = run_.stages.readers(plane);
      if (plane != run_.stages.result() && (readers.empty() || readers.back() <= stage)) {
        planes_[plane].reset();
      }
    }
  }

  const WholeRun& run_;
  const UpscaleObserver& observer_;
  Progress& progress_;
  std::int64_t first_image_;
  std::vector<std::uint64_t> keys_;
  std::vector<at::Tensor> planes_;
  Window canvas_;  ///< low-resolution pixels
  std::int64_t scale_ = 1;
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
  std::int64_t reported_ = 0;  ///< network calls
};

/// Makes some images at a time, and keeps them when all of these are made.
class WholeImagesRun {
 public:
  WholeImagesRun(const WholeRun& run, const UpscaleObserver& observer, const at::Tensor& lr)
      : run_(run),
        observer_(observer),
        lr_(lr),
        copies_(run.model.device()),
        progress_(observer, lr.size(0) * run.stages.network_calls()) {}

  /// Some back ends take one image a call (see Backend::one_image_per_call).
  void make(std::int64_t first, std::int64_t last) {
    const std::int64_t images =
        backend_for(run_.model.device()).one_image_per_call() ? 1 : last - first;
    parts_.clear();
    for (std::int64_t i = first; i < last; i += images) {
      parts_.push_back({i, lr_.slice(0, i, i + images), ImageGroup(run_, observer_, progress_, i)});
    }
    try {
      run_parts();
    } catch (...) {
      for (Part& part : parts_) {
        part.group.take_back_progress();
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
      results.push_back(finite_or_in_float32(
          run_.model, part.result, part.watch,
          [&](const Model& exact, FiniteWatch& watch) { return again(exact, part, watch); }));
    }
    return results.size() == 1 ? results.front() : at::cat(results);
  }

 private:
  struct Part {
    std::int64_t first_image;
    at::Tensor lr;
    ImageGroup group;
    FiniteWatch watch = {};
    at::Tensor result = {};
  };

  void run_parts() {
    const auto count = static_cast<std::int64_t>(parts_.size());
    const auto run = [this](std::int64_t i) {
      Part& part = parts_[static_cast<std::size_t>(i)];
      part.result = copies_.add(part.group(run_.model, part.lr, part.watch));
    };
    // States are shown of one image after another.
    if (backend_for(run_.model.device()).one_image_per_call() && !observer_.on_state) {
      run_in_parallel(count, run);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      run(i);
    }
  }

  /// The work of one part with another model; its progress was reported before.
  at::Tensor again(const Model& model, const Part& part, FiniteWatch& watch) const {
    UpscaleObserver quiet;
    quiet.cancelled = observer_.cancelled;
    Progress none(quiet, 0);
    return ImageGroup(run_, quiet, none, part.first_image)(model, part.lr, watch).to(at::kCPU);
  }

  const WholeRun& run_;
  const UpscaleObserver& observer_;
  const at::Tensor& lr_;
  HostCopies copies_;
  Progress progress_;
  std::vector<Part> parts_;
  std::vector<Part> kept_;
};

}  // namespace

WholeImages upscale_whole_images(const Model& model, const MethodStages& stages,
                                 const TileGrid& grid, const std::vector<std::uint64_t>& keys,
                                 const UpscaleObserver& observer, const at::Tensor& lr,
                                 std::int64_t at_once) {
  const WholeRun shared = {model, stages, grid, keys};
  WholeImagesRun run(shared, observer, lr);
  const std::int64_t fitted = run_with_memory_backoff(
      lr.size(0), at_once, "pictures",
      [&](std::int64_t first, std::int64_t last) { run.make(first, last); },
      [&](std::int64_t, std::int64_t) { run.keep(); }, [&] { model.drop_recordings(); });
  return {run.result(), fitted};
}

}  // namespace srdiff
