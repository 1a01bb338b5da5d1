#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
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

namespace srdiff {

/// Where the reverse process starts: the three that Ma & Watanabe compare.
enum class Start {
  predicted,  ///< equation (1) with the weight map
  sr,         ///< equation (1) with W = 0
  noise,      ///< x_T ~ N(0, I), t = T: plain SR3, or DDIM from noise
};

/// "predicted", "sr", "noise". `parse_start` throws UsageError on any other word.
std::string to_string(Start start);
Start parse_start(const std::string& word);

/// What a caller asks for. A field that is left empty takes the model's recommendation.
struct UpscaleOptions {
  Start start = Start::predicted;
  bool weight_map = true;           ///< false: W = 0 in equation (1), as Start::sr
  std::optional<int> t = {};        ///< steps that remain at the start, 1…T
  std::optional<double> beta = {};  ///< β of equation (1), in [0,1]
  std::optional<SamplerKind> sampler = {};
  std::optional<int> nfe = {};     ///< denoiser evaluations, 1…t; DDPM: t
  std::optional<double> eta = {};  ///< DDIM's η, in [0,1]
  std::optional<GridSpacing> grid = {};
  std::uint64_t seed = 0;
  std::optional<ColorFix> color_fix = {};
  std::optional<double> scale = {};      ///< output side / input side, 1…64; empty: the model's
  std::optional<int> tile = {};          ///< low-resolution pixels, 0: no tiles; empty: the model's
  std::optional<int> tile_overlap = {};  ///< low-resolution pixels, at most half a tile
  std::optional<int> batch = {};         ///< see UpscaleSettings
};

/// The same with every choice made.
struct UpscaleSettings {
  Start start = Start::predicted;
  bool weight_map = true;
  int t = 0;
  double beta = 0.0;
  SamplerKind sampler = SamplerKind::ddim;
  int nfe = 0;
  double eta = 0.0;
  GridSpacing grid = GridSpacing::uniform;
  std::uint64_t seed = 0;
  ColorFix color_fix = ColorFix::none;
  /// Output side / input side. One that is not the model's own is reached by as many passes of the
  /// model as it takes to come up to it, and one antialiased bicubic resize.
  double scale = 0.0;
  /// Pictures larger than a tile are cut into tiles (tiling.h).
  TileSize tile = {};
  /// Images or tiles in one network call on a GPU, where empty takes as many as its free memory
  /// holds, up to the pixels of 64 of the model's native size. On the CPU each is a call of its
  /// own.
  std::optional<int> batch = {};
};

/// Fills in the model's recommendations and checks ranges and contradictions. Without an `nfe`,
/// DDPM takes t and the others the recommended count, at most t. A tile and its overlap are rounded
/// up to the networks' multiple.
/// Throws UsageError; ModelError when the model lacks a network that the start needs.
UpscaleSettings resolve(const UpscaleOptions& options, const Manifest& manifest);

/// Whether a picture made by these needs x_sr: as its start, or as the denoiser's condition.
bool needs_regressor(const UpscaleSettings& settings, const Manifest& manifest);

/// The settings as one line of JSON, without the batch: it changes how fast, not what.
std::string settings_json(const UpscaleSettings& settings);

/// One line of JSON that says how pictures are made: srdiff's version, the model with its hash, the
/// denoiser's precision and the settings. It holds no time and no file name.
std::string made_by(const Manifest& manifest, const UpscaleSettings& settings,
                    c10::ScalarType precision);

/// Throws InputError "NAME: …" when a picture of this size is below 2 pixels a side or above what
/// the model takes, in any of the passes that the scale needs. Takes no memory.
void check_input_size(const Manifest& manifest, const UpscaleSettings& settings,
                      std::int64_t height, std::int64_t width,
                      const std::string& name = "the input");

/// Whether a picture of this size is cut into tiles; otherwise it is upscaled in one piece.
bool takes_tiles(const Manifest& manifest, const UpscaleSettings& settings, std::int64_t height,
                 std::int64_t width);

/// Output side for an input side: side · scale, rounded.
std::int64_t output_side(const UpscaleSettings& settings, std::int64_t side);

/// What becomes of a picture: its layout with the output's sides.
ImageLayout output_layout(const UpscaleSettings& settings, const Image& image);

/// A state on the way, for looking at the method: x_sr, W, x_t, and x̂_0 after each evaluation.
struct UpscaleState {
  enum class Kind { x_sr, weight_map, x_t, x0 };
  Kind kind;
  std::int64_t first_image;  ///< index in the batch of the tensor's first image
  int t;                     ///< the step the state belongs to; for x0 the step that was left
  int evaluation;            ///< 1…NFE for x0, else 0
  at::Tensor value;  ///< [n,3,H,W] in [−1,1] (x_t unbounded), or W [n,1 or 3,H,W] in [0,1]
};

struct UpscaleProgress {
  std::int64_t evaluations_done;   ///< over all images and tiles, of one pass
  std::int64_t evaluations_total;  ///< images × tiles × NFE
};

/// All are optional. `cancelled` is asked between evaluations; true makes upscale throw Cancelled.
struct UpscaleObserver {
  std::function<void(const UpscaleProgress&)> on_progress;
  std::function<void(const UpscaleState&)> on_state;
  std::function<bool()> cancelled;
};

/// The next rows of a result, from top to bottom: rgb [3,rows,W] float32 in [−1,1], alpha
/// [1,rows,W] in [0,1], undefined where the picture has none.
using StripSink = std::function<void(const at::Tensor& rgb, const at::Tensor& alpha)>;

/// Low resolution in, high resolution out: the regressor, equation (1) and the reverse steps.
class Upscaler {
 public:
  explicit Upscaler(Model model) : model_(std::move(model)) {}

  const Model& model() const { return model_; }

  /// One pass of the model: lr [N,3,h,w] float32 RGB in [−1,1], any h and w that check_input_size
  /// accepts → [N,3,s·h,s·w] float32 in [−1,1] on the CPU, s the model's scale.
  ///
  /// An image's result depends on its own pixels, the settings and the seed: on the CPU not on N
  /// or the number of threads, bit for bit.
  /// On the CPU as many images or tiles as LibTorch has threads are computed side by side, each by
  /// one; with `on_state` images follow one another. `on_progress` and `cancelled` may be called by
  /// any of these threads, `cancelled` by several at once.
  /// `on_state` is called for images in one piece only. Where a reduced precision gives values that
  /// are not finite the work is done again in float32, with a warning. Throws InputError on the
  /// size, or when float32 gives such values too; Cancelled; ModelError when a network fails.
  /// Where memory does not hold as many images or tiles at once, fewer go together, with a warning;
  /// where it does not hold one, MemoryError is thrown. So do the next ones.
  at::Tensor upscale(const at::Tensor& lr, const UpscaleSettings& settings,
                     const UpscaleObserver& observer = {}) const;

  /// How many images of this low-resolution size are worth handing over together: on a GPU they go
  /// into one network call, on the CPU each thread takes one.
  std::int64_t images_at_once(std::int64_t height, std::int64_t width,
                              const UpscaleSettings& settings) const;

  /// One picture. Colour goes through the networks, alpha through antialiased bicubic; grey stays
  /// grey, bit depth and metadata are kept. The networks see the visible colours continued into the
  /// transparent parts: what a file hides there has no say, and leaves no seam along their edges.
  Image upscale(const Image& image, const UpscaleSettings& settings,
                const UpscaleObserver& observer = {}) const;
  /// The same in strips, so that memory holds the input and some rows of tiles, not the result. Of
  /// several passes the last comes in strips.
  void upscale(const Image& image, const UpscaleSettings& settings, const StripSink& sink,
               const UpscaleObserver& observer = {}) const;
  /// The same as a file (see ImageEncoder), encoded as the rows come. What the format cannot hold
  /// is refused before any network runs.
  std::string upscale_encoded(const Image& image, const UpscaleSettings& settings,
                              const std::string& extension, const std::string& name,
                              const EncodeOptions& options = {},
                              const UpscaleObserver& observer = {}) const;
  /// Several pictures of one size.
  std::vector<Image> upscale(const std::vector<Image>& images, const UpscaleSettings& settings,
                             const UpscaleObserver& observer = {}) const;

 private:
  /// Images or tiles of a low-resolution size that are made together: in one network call on a GPU,
  /// by a thread each on the CPU.
  std::int64_t wanted_together(std::int64_t height, std::int64_t width,
                               const UpscaleSettings& settings) const;
  /// The same, or fewer where memory has held fewer before.
  std::int64_t together(std::int64_t height, std::int64_t width,
                        const UpscaleSettings& settings) const;
  at::Tensor in_one_piece(const at::Tensor& lr, const UpscaleSettings& settings,
                          const UpscaleObserver& observer) const;
  void pass(const at::Tensor& lr, const UpscaleSettings& settings, const UpscaleObserver& observer,
            const std::function<void(const at::Tensor& rows)>& sink) const;

  Model model_;
  /// Low-resolution pixels that memory is known to hold at once; without a limit until it did not.
  std::shared_ptr<std::atomic<std::int64_t>> fitting_pixels_ =
      std::make_shared<std::atomic<std::int64_t>>(std::numeric_limits<std::int64_t>::max());
};

}  // namespace srdiff
