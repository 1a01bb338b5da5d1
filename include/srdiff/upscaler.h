#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "srdiff/image.h"
#include "srdiff/image_io.h"
#include "srdiff/model.h"
#include "srdiff/upscale_plan.h"
#include "srdiff/upscale_settings.h"

namespace srdiff {

/// A state on the way, for looking at the method: the mask, x_sr, W, x_t, and x̂_0 after each
/// evaluation.
struct UpscaleState {
  enum class Kind { x_sr, weight_map, x_t, x0, mask };
  Kind kind;
  std::int64_t first_image;  ///< index in the batch of the tensor's first image
  int t;                     ///< the step the state belongs to; for x0 the step that was left
  int evaluation;            ///< 1…NFE for x0, else 0
  /// [n,3,H,W] in [−1,1] (x_t unbounded); W [n,1 or 3,H,W] and the mask [1,1,H,W] in [0,1]
  at::Tensor value;
};

/// Calls of the regressor, the weight map and the denoiser, over all images, passes and tiles.
struct UpscaleProgress {
  std::int64_t calls_done;
  std::int64_t calls_total;  ///< images × tiles × calls for each, NFE of them the denoiser's
};

/// All are optional. `cancelled` is asked between evaluations; true makes upscale throw Cancelled.
struct UpscaleObserver {
  std::function<void(const UpscaleProgress&)> on_progress;
  std::function<void(const UpscaleState&)> on_state;
  /// The next rows of W of a picture's first pass, `top` the first of them: [1,1 or 3,rows,W'] in
  /// [0,1] on the CPU, W' the model's scale times the input's width. Work that is started anew, for
  /// lack of memory, starts at row 0 again. For one picture, in tiles too.
  std::function<void(const at::Tensor& rows, std::int64_t top)> on_weight_map;
  std::function<bool()> cancelled;
};

/// The next rows of a result, from top to bottom: rgb [3,rows,W] float32 in [−1,1], alpha
/// [1,rows,W] in [0,1], undefined where the picture has none.
using PictureRowSink = std::function<void(const at::Tensor& rgb, const at::Tensor& alpha)>;

class CallMemo;

/// Low resolution in, high resolution out: the regressor, equation (1) and the reverse steps. What
/// takes a plan throws InputError on an image of another size than the plan's.
class Upscaler {
 public:
  explicit Upscaler(Model model) : model_(std::move(model)) {}

  /// The same upscaler, which remembers what regressor and weight map gave: a picture that is made
  /// again, with another seed, needs them once. What is kept takes at most so many bytes of memory,
  /// 16 to 32 for each pixel of the output.
  Upscaler remembering(std::size_t max_bytes) const;

  const Model& model() const { return model_; }

  /// How pictures of this low-resolution size are made. Throws as UpscalePlan does.
  UpscalePlan plan(std::int64_t height, std::int64_t width, const UpscaleSettings& settings,
                   const std::string& name = "the input") const;

  /// One pass of the model, without a mask: lr [N,3,h,w] float32 RGB in [−1,1], any h and w that
  /// UpscalePlan accepts → [N,3,s·h,s·w] float32 in [−1,1] on the CPU, s the model's scale.
  ///
  /// An image's result depends on its own pixels, the settings and the seed: on the CPU not on N
  /// or the number of threads, bit for bit.
  /// On the CPU as many images or tiles of up to 96×96 pixels as LibTorch has threads are computed
  /// side by side, each by one; larger ones follow one another with all threads, and with
  /// `on_state` all images do. `on_progress` and `cancelled` may be called by any of these threads,
  /// `cancelled` by several at once. `on_state` is called for images in one piece only. Where a
  /// reduced precision gives values that are not finite the work is done again in float32, with a
  /// warning. Throws InputError on the size, or when float32 gives such values too; Cancelled;
  /// ModelError when a network fails. Where memory does not hold as many images or tiles at once,
  /// fewer go together, with a warning; where it does not hold one, MemoryError is thrown. Later
  /// calls start with the smaller number.
  at::Tensor upscale(const at::Tensor& lr, const UpscaleSettings& settings,
                     const UpscaleObserver& observer = {}) const;
  /// The same by a plan for images of this size, whose first pass it is.
  at::Tensor upscale(const at::Tensor& lr, const UpscalePlan& plan,
                     const UpscaleObserver& observer = {}) const;

  /// How many pictures of one plan are worth handing over together: on a GPU they go into one
  /// network call, on the CPU each thread takes one, if they are small.
  std::int64_t images_at_once(const UpscalePlan& plan) const;

  /// One picture. Colour goes through the networks, alpha through antialiased bicubic; grey stays
  /// grey, bit depth and metadata are kept. The networks see the visible colours continued into the
  /// transparent parts: what a file hides there has no say, and leaves no seam along their edges.
  Image upscale(const Image& image, const UpscaleSettings& settings,
                const UpscaleObserver& observer = {}) const;
  /// The same in rows, so that memory holds the input and some rows of tiles, not the result. Of
  /// several passes the last comes in rows.
  void upscale(const Image& image, const UpscalePlan& plan, const PictureRowSink& sink,
               const UpscaleObserver& observer = {}) const;
  /// The same as a file (see ImageEncoder), encoded as the rows come. What the format cannot hold
  /// is refused before any network runs.
  std::string upscale_encoded(const Image& image, const UpscalePlan& plan,
                              const std::string& extension, const std::string& name,
                              const EncodeOptions& options = {},
                              const UpscaleObserver& observer = {}) const;
  /// Several pictures of one size.
  std::vector<Image> upscale(const std::vector<Image>& images, const UpscalePlan& plan,
                             const UpscaleObserver& observer = {}) const;

 private:
  using RowSink = std::function<void(const at::Tensor& rows)>;

  /// Images or tiles of a low-resolution size that are to be made together: in one network call on
  /// a GPU, by a thread each on the CPU; there large ones are made one by one.
  std::int64_t wanted_together(std::int64_t height, std::int64_t width,
                               const std::optional<int>& batch) const;
  /// The same, or fewer where memory has held fewer before.
  std::int64_t together(std::int64_t height, std::int64_t width,
                        const std::optional<int>& batch) const;
  at::Tensor upscale_whole(const at::Tensor& lr, const UpscalePlan& plan,
                           const UpscalePlan::Pass& pass, const std::vector<std::uint64_t>& keys,
                           const UpscaleObserver& observer) const;
  void upscale_tiled(const at::Tensor& lr, const UpscalePlan& plan, const UpscalePlan::Pass& pass,
                     std::uint64_t key, const UpscaleObserver& observer, const RowSink& sink) const;
  /// One pass over one image [1,3,h,w], whose noise has the key, in rows.
  void run_pass(const at::Tensor& lr, const UpscalePlan& plan, const UpscalePlan::Pass& pass,
                std::uint64_t key, const UpscaleObserver& observer, const RowSink& sink) const;
  Image upscale_image(const Image& image, const UpscalePlan& plan,
                      const UpscaleObserver& observer) const;

  Model model_;
  std::shared_ptr<CallMemo> memo_;
  /// Low-resolution pixels that memory is known to hold at once; without a limit until it did not.
  std::shared_ptr<std::atomic<std::int64_t>> fitting_pixels_ =
      std::make_shared<std::atomic<std::int64_t>>(std::numeric_limits<std::int64_t>::max());
};

}  // namespace srdiff
