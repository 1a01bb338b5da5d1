#include "evaluation/folder_run.h"

#include <algorithm>
#include <utility>

#include "base/cancellation.h"
#include "base/scoped_timer.h"
#include "evaluation/reference_pictures.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"

namespace srdiff {

namespace fs = std::filesystem;

void with_name(const fs::path& path, const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

FolderRun::FolderRun(const FolderEvaluationOptions& options, const FeatureNetwork* network,
                     const FolderEvaluationObserver& observer)
    : options_(options), network_(network), observer_(observer) {
  if (!options_.reference.empty()) {
    references_ = limited(list_pictures(options_.reference));
  }
  evaluator_.emplace(options_.evaluation, network_, reference_set());
  if (references_.empty() && (evaluator_->wants_references() || compares_pictures())) {
    throw UsageError("these metrics need the reference's pictures; name their folder");
  }
}

bool FolderRun::compares_pictures() const {
  const auto& metrics = options_.evaluation.metrics;
  return std::any_of(metrics.begin(), metrics.end(), needs_pairs);
}

std::vector<fs::path> FolderRun::limited(std::vector<fs::path> files) const {
  const auto limit = static_cast<std::size_t>(options_.limit.value_or(0));
  if (options_.limit && limit < files.size()) {
    files.resize(limit);
  }
  return files;
}

at::Tensor FolderRun::read(const fs::path& path) {
  const ScopedTimer timer(seconds_.reading);
  return read_image(path, options_.limits).rgb;
}

void FolderRun::add_pair(const fs::path& path, const at::Tensor& reference,
                         const at::Tensor& output, const at::Tensor& input) {
  with_name(path, [&] {
    evaluator_->add_reference(reference);
    evaluator_->add_output(output);
    const ImageFigures figures =
        evaluator_->compare(path.stem().string(), reference, output, input);
    if (observer_.on_image) {
      observer_.on_image(figures);
    }
  });
}

void FolderRun::add_alone(const fs::path& path, const at::Tensor& output) {
  with_name(path, [&] {
    evaluator_->add_output(output);
    const auto& metrics = options_.evaluation.metrics;
    if (std::all_of(metrics.begin(), metrics.end(), needs_features)) {
      return;
    }
    const ImageFigures figures = evaluator_->measure_alone(path.stem().string(), output);
    if (observer_.on_image) {
      observer_.on_image(figures);
    }
  });
}

void FolderRun::check_numbers(std::size_t outputs) const {
  const auto fewest = static_cast<std::int64_t>(
      references_.empty() ? outputs : std::min(outputs, references_.size()));
  for (const Metric metric : options_.evaluation.metrics) {
    const std::int64_t needed = pictures_needed(metric, options_.evaluation);
    if (options_.evaluation.patch == 0 && fewest < needed) {
      throw UsageError(to_string(metric) + " needs at least " + std::to_string(needed) +
                       " pictures in each set, here are " + std::to_string(fewest) +
                       "; give more, or leave it out of the metrics");
    }
  }
}

void FolderRun::progress(std::size_t done, std::size_t total) const {
  stop_if(observer_.cancelled);
  if (observer_.on_progress) {
    observer_.on_progress(static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
  }
}

Evaluation FolderRun::finish() {
  Evaluation evaluation = evaluator_->result();
  if (!options_.statistics.empty() && !fs::exists(options_.statistics) &&
      evaluation.reference_set) {
    write_statistics(options_.statistics, *evaluation.reference_set, images_hash_);
    log::info("{}: the reference's statistics, for the next time", options_.statistics.string());
  }
  evaluation.seconds.reading = seconds_.reading;
  evaluation.seconds.upscaling = seconds_.upscaling;
  return evaluation;
}

/// What spares the reference's way through the network, or nothing. A file of statistics is
/// checked even where kid and prdc need the pictures all the same.
std::shared_ptr<const FeatureSet> FolderRun::reference_set() {
  const auto& metrics = options_.evaluation.metrics;
  if (options_.reference_set || options_.statistics.empty() || network_ == nullptr) {
    return options_.reference_set;
  }
  const ScopedTimer timer(seconds_.reading);
  images_hash_ = references_.empty() ? "" : hash_files(references_);
  if (!fs::exists(options_.statistics)) {
    return nullptr;
  }
  auto set = std::make_shared<const FeatureSet>(
      read_statistics(options_.statistics, network_->manifest(), images_hash_));
  const bool gaussian_is_enough = std::all_of(metrics.begin(), metrics.end(), [](Metric metric) {
    return metric == Metric::fid || !needs_features(metric);
  });
  return gaussian_is_enough ? set : nullptr;
}

}  // namespace srdiff
