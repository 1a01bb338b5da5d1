#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/evaluator.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// The pictures of a folder itself, by their files' endings, sorted by name; not those whose names
/// start with a dot. Throws InputError when there is none, or when two share a name but for the
/// ending.
std::vector<std::filesystem::path> list_pictures(const std::filesystem::path& folder);

/// A hash over the contents of files in their order. Throws InputError when one cannot be read.
std::string hash_files(const std::vector<std::filesystem::path>& files);

/// The low-resolution input that a reference [3,s·h,s·w] in [−1,1] stands for: [3,h,w], by
/// antialiased bicubic (a = −0.5) in float64, rounded to 8 bit. In float64 so that the rounding,
/// and with it the noise that depends on these pixels, is the same on every machine.
/// Throws InputError "NAME: …" when a side is not a multiple of the scale.
at::Tensor reduce_reference(const at::Tensor& reference, int scale, const std::string& name);

struct FolderEvaluationOptions {
  EvaluationOptions evaluation;
  std::filesystem::path reference;  ///< folder; may be empty where `statistics` are all that counts
  std::optional<std::int64_t> limit = {};  ///< only the first pictures by name
  /// The reference's Gaussian: read when the file is there (see read_statistics), else written.
  std::filesystem::path statistics = {};
  /// From an earlier evaluation of the same reference and limit, in place of reading `statistics`.
  std::shared_ptr<const FeatureSet> reference_set = nullptr;
};

/// All are optional.
struct FolderEvaluationObserver {
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
  std::function<void(const ImageFigures&)> on_image;
  /// A state on the way of one picture: its value is [1,…].
  std::function<void(const std::string& image, const UpscaleState&)> on_state;
  std::function<bool()> cancelled;
};

/// Measures the pictures in `output` against the references of the same name (without ending).
/// With a `scale`, consistency is that of the outputs with the reduced references.
///
/// Where only metrics of sets are asked for, the names need not pair; that is logged as a warning.
/// Throws InputError naming pictures that are missing, superfluous, unreadable or of another size
/// than their references; Cancelled; UsageError and ModelError as Evaluator.
Evaluation evaluate_outputs(const FolderEvaluationOptions& options,
                            const std::filesystem::path& output, std::optional<int> scale,
                            const FeatureNetwork* network,
                            const FolderEvaluationObserver& observer = {});

/// Reduces each reference, upscales it and measures the result, rounded to 8 bit as a file holds
/// it. With a `save` folder, the results are kept there as NAME.png.
/// Throws as evaluate_outputs and Upscaler::upscale, and UsageError when `save` is the folder of
/// references.
Evaluation evaluate_model(const FolderEvaluationOptions& options, const Upscaler& upscaler,
                          const UpscaleSettings& settings, const std::filesystem::path& save,
                          const FeatureNetwork* network,
                          const FolderEvaluationObserver& observer = {});

}  // namespace srdiff
