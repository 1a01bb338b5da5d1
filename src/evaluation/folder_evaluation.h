#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "evaluation/evaluator.h"
#include "srdiff/image_io.h"
#include "srdiff/upscaler.h"

namespace srdiff {

struct FolderEvaluationOptions {
  EvaluationOptions evaluation;
  std::filesystem::path reference;  ///< folder; may be empty where `statistics` are all that counts
  std::optional<std::int64_t> limit = {};  ///< only the first pictures by name
  DecodeLimits limits = {};                ///< of each picture
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
