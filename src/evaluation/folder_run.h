#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/evaluator.h"
#include "evaluation/folder_evaluation.h"

namespace srdiff {

/// call(); what is wrong with a picture names its file.
void with_name(const std::filesystem::path& path, const std::function<void()>& call);

/// One evaluation over folders on its way: the references, their statistics, and the evaluator that
/// the pictures go to.
class FolderRun {
 public:
  /// All must outlive the run. Throws as list_pictures, Evaluator and read_statistics do, and
  /// UsageError where the metrics need references that are not named.
  FolderRun(const FolderEvaluationOptions& options, const FeatureNetwork* network,
            const FolderEvaluationObserver& observer);

  const std::vector<std::filesystem::path>& references() const { return references_; }
  Evaluator& evaluator() { return *evaluator_; }
  EvaluationSeconds& seconds() { return seconds_; }

  /// Whether a metric compares a picture with its own reference.
  bool compares_pictures() const;

  /// The first files, as many as the limit leaves.
  std::vector<std::filesystem::path> limited(std::vector<std::filesystem::path> files) const;

  /// A picture, [3,H,W] float32 RGB in [−1,1]. Throws InputError.
  at::Tensor read(const std::filesystem::path& path);

  /// Adds a picture and its reference, whose file is `path`, and compares them.
  void add_pair(const std::filesystem::path& path, const at::Tensor& reference,
                const at::Tensor& output, const at::Tensor& input);

  /// Adds a picture without a reference, whose file is `path`, and measures it alone.
  void add_alone(const std::filesystem::path& path, const at::Tensor& output);

  /// Throws UsageError where a metric needs more pictures than there are. Of patches that shows
  /// later.
  void check_numbers(std::size_t outputs) const;

  /// Tells the observer. Throws Cancelled where it asks for a stop.
  void progress(std::size_t done, std::size_t total) const;

  /// The figures; writes the reference's statistics where their file is missing.
  Evaluation finish();

 private:
  std::shared_ptr<const FeatureSet> reference_set();

  const FolderEvaluationOptions& options_;
  const FeatureNetwork* network_;
  const FolderEvaluationObserver& observer_;
  std::vector<std::filesystem::path> references_;
  std::string images_hash_;
  std::optional<Evaluator> evaluator_;
  EvaluationSeconds seconds_;
};

}  // namespace srdiff
