#include "evaluation/folder_evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/cancellation.h"
#include "base/file_io.h"
#include "base/scoped_timer.h"
#include "base/sha256.h"
#include "images/eight_bit.h"
#include "images/image_format.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"
#include "srdiff/resize.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

std::string sides_text(const at::Tensor& image) {
  return std::to_string(image.size(2)) + "x" + std::to_string(image.size(1));
}

/// "a, b, c and 4 more".
std::string enumerate(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > shown ? text + " and " + std::to_string(names.size() - shown) + " more"
                              : text;
}

/// The names of files without their endings, in order.
class Stems {
 public:
  explicit Stems(const std::vector<fs::path>& files) {
    for (const fs::path& file : files) {
      stems_.push_back(file.stem().string());
    }
    std::sort(stems_.begin(), stems_.end());
  }

  bool has(const fs::path& file) const {
    return std::binary_search(stems_.begin(), stems_.end(), file.stem().string());
  }

 private:
  std::vector<std::string> stems_;
};

std::vector<std::string> stems_without_partner(const std::vector<fs::path>& from,
                                               const std::vector<fs::path>& among) {
  const Stems others(among);
  std::vector<std::string> alone;
  for (const fs::path& path : from) {
    if (!others.has(path)) {
      alone.push_back(path.stem().string());
    }
  }
  return alone;
}

/// call(); what is wrong with a picture names its file.
template <typename Call>
void named(const fs::path& path, const Call& call) {
  try {
    call();
  } catch (const UsageError& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

/// One evaluation over folders on its way.
class FolderRun {
 public:
  FolderRun(const FolderEvaluationOptions& options, const FeatureNetwork* network,
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

  const std::vector<fs::path>& references() const { return references_; }
  Evaluator& evaluator() { return *evaluator_; }
  EvaluationSeconds& seconds() { return seconds_; }

  bool compares_pictures() const {
    const auto& metrics = options_.evaluation.metrics;
    return !std::all_of(metrics.begin(), metrics.end(), needs_features);
  }

  std::vector<fs::path> limited(std::vector<fs::path> files) const {
    const auto limit = static_cast<std::size_t>(options_.limit.value_or(0));
    if (options_.limit && limit < files.size()) {
      files.resize(limit);
    }
    return files;
  }

  at::Tensor read(const fs::path& path) {
    const ScopedTimer timer(seconds_.reading);
    return read_image(path, limits_of_known_pictures()).rgb;
  }

  /// Adds a picture and its reference, whose file is `path`, and compares them.
  void add_pair(const fs::path& path, const at::Tensor& reference, const at::Tensor& output,
                const at::Tensor& input) {
    named(path, [&] {
      evaluator_->add_reference(reference);
      evaluator_->add_output(output);
      const ImageFigures figures =
          evaluator_->compare(path.stem().string(), reference, output, input);
      if (observer_.on_image) {
        observer_.on_image(figures);
      }
    });
  }

  /// Throws UsageError where a metric needs more pictures than there are. Of patches that shows
  /// later.
  void check_numbers(std::size_t outputs) const {
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

  void progress(std::size_t done, std::size_t total) const {
    stop_if(observer_.cancelled);
    if (observer_.on_progress) {
      observer_.on_progress(static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
    }
  }

  Evaluation finish() {
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

 private:
  /// What spares the reference's way through the network, or nothing. A file of statistics is
  /// checked even where kid and prdc need the pictures all the same.
  std::shared_ptr<const FeatureSet> reference_set() {
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

  const FolderEvaluationOptions& options_;
  const FeatureNetwork* network_;
  const FolderEvaluationObserver& observer_;
  std::vector<fs::path> references_;
  std::string images_hash_;
  std::optional<Evaluator> evaluator_;
  EvaluationSeconds seconds_;
};

/// Those in a folder: with a limit, those of the references that it leaves.
std::vector<fs::path> outputs_to_measure(const FolderRun& run, const fs::path& folder) {
  std::vector<fs::path> all = list_pictures(folder);
  std::vector<fs::path> first = run.limited(all);
  if (first.size() == all.size()) {
    return all;
  }
  const Stems references(run.references());
  std::vector<fs::path> partners;
  std::copy_if(all.begin(), all.end(), std::back_inserter(partners),
               [&](const fs::path& path) { return references.has(path); });
  return partners.empty() ? first : partners;
}

/// Whether each reference has its output and none is left over. Throws where they must.
bool check_pairs(const std::vector<fs::path>& references, const std::vector<fs::path>& outputs,
                 const FolderEvaluationOptions& options, const fs::path& output, bool must_pair) {
  const auto missing = stems_without_partner(references, outputs);
  const auto superfluous = stems_without_partner(outputs, references);
  if (missing.empty() && superfluous.empty()) {
    return true;
  }
  std::string problem;
  if (!missing.empty()) {
    problem = output.string() + ": has no picture for " + enumerate(missing) + " of " +
              options.reference.string();
  }
  if (!superfluous.empty()) {
    problem += (problem.empty() ? output.string() + ": has " : "; has ") + enumerate(superfluous) +
               " without a reference";
  }
  if (must_pair) {
    throw InputError(problem);
  }
  log::warn("{}; the sets are compared as they are", problem);
  return false;
}

void evaluate_pairs(FolderRun& run, const std::vector<fs::path>& outputs,
                    std::optional<int> scale) {
  const auto& references = run.references();
  for (std::size_t i = 0; i < references.size(); ++i) {
    const at::Tensor reference = run.read(references[i]);
    const at::Tensor output = run.read(outputs[i]);
    if (reference.sizes() != output.sizes()) {
      throw InputError(outputs[i].string() + ": is " + sides_text(output) + " where " +
                       references[i].string() + " is " + sides_text(reference));
    }
    at::Tensor input;
    if (scale) {
      input = reduce_reference(reference, *scale, references[i].string());
    }
    run.add_pair(references[i], reference, output, input);
    run.progress(i + 1, references.size());
  }
}

void evaluate_sets(FolderRun& run, const std::vector<fs::path>& outputs) {
  const bool both = run.evaluator().wants_references();
  const std::size_t total = outputs.size() + (both ? run.references().size() : 0);
  std::size_t done = 0;
  for (const fs::path& path : both ? run.references() : std::vector<fs::path>()) {
    named(path, [&] { run.evaluator().add_reference(run.read(path)); });
    run.progress(++done, total);
  }
  for (const fs::path& path : outputs) {
    named(path, [&] { run.evaluator().add_output(run.read(path)); });
    run.progress(++done, total);
  }
}

/// References of one size that go through the upscaler together.
struct Chunk {
  std::vector<fs::path> files;
  std::vector<at::Tensor> references;
  std::vector<at::Tensor> inputs;
  std::optional<UpscalePlan> plan = {};
};

/// Upscales references and measures the results.
class ModelRun {
 public:
  ModelRun(FolderRun& run, const Upscaler& upscaler, const UpscaleSettings& settings,
           const fs::path& save, const FolderEvaluationObserver& observer)
      : run_(run), upscaler_(upscaler), settings_(settings), save_(save), observer_(observer) {}

  void operator()() {
    Chunk chunk;
    for (const fs::path& path : run_.references()) {
      const at::Tensor reference = run_.read(path);
      if (!chunk.files.empty() && chunk.references.front().sizes() != reference.sizes()) {
        finish(chunk);
      }
      chunk.files.push_back(path);
      chunk.references.push_back(reference);
      const int scale = upscaler_.model().manifest().scale;
      chunk.inputs.push_back(reduce_reference(reference, scale, path.string()));
      const at::Tensor& input = chunk.inputs.front();
      if (!chunk.plan) {
        chunk.plan = upscaler_.plan(input.size(1), input.size(2), settings_, path.string());
      }
      const std::int64_t limit = upscaler_.images_at_once(*chunk.plan);
      if (static_cast<std::int64_t>(chunk.files.size()) == limit) {
        finish(chunk);
      }
    }
    finish(chunk);
  }

 private:
  void finish(Chunk& chunk) {
    if (chunk.files.empty()) {
      return;
    }
    const at::Tensor outputs = upscale(chunk);
    for (std::size_t i = 0; i < chunk.files.size(); ++i) {
      run_.add_pair(chunk.files[i], chunk.references[i], outputs[static_cast<std::int64_t>(i)],
                    chunk.inputs[i]);
      run_.progress(++done_, run_.references().size());
    }
    chunk = {};
  }

  at::Tensor upscale(const Chunk& chunk) {
    const ScopedTimer timer(run_.seconds().upscaling);
    UpscaleObserver observer;
    observer.cancelled = observer_.cancelled;
    if (observer_.on_state) {
      observer.on_state = [&](const UpscaleState& state) { show(chunk, state); };
    }
    at::Tensor outputs;
    try {
      outputs =
          as_in_eight_bit_file(upscaler_.upscale(at::stack(chunk.inputs), *chunk.plan, observer));
    } catch (const MemoryError& error) {
      throw MemoryError(chunk.files.front().string() + ": " + error.what());
    }
    for (std::size_t i = 0; !save_.empty() && i < chunk.files.size(); ++i) {
      Image image;
      image.rgb = outputs[static_cast<std::int64_t>(i)];
      write_image(save_ / (chunk.files[i].stem().string() + ".png"), image);
    }
    return outputs;
  }

  void show(const Chunk& chunk, const UpscaleState& state) const {
    for (std::int64_t i = 0; i < state.value.size(0); ++i) {
      UpscaleState one = state;
      one.value = state.value.narrow(0, i, 1);
      const auto image = static_cast<std::size_t>(state.first_image + i);
      observer_.on_state(chunk.files.at(image).stem().string(), one);
    }
  }

  FolderRun& run_;
  const Upscaler& upscaler_;
  const UpscaleSettings& settings_;
  const fs::path& save_;
  const FolderEvaluationObserver& observer_;
  std::size_t done_ = 0;
};

}  // namespace

std::vector<fs::path> list_pictures(const fs::path& folder) {
  std::error_code error;
  std::map<std::string, fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_picture_name(entry.path()) || is_hidden(entry.path())) {
      continue;
    }
    const auto [other, is_new] = pictures.emplace(entry.path().stem().string(), entry.path());
    if (!is_new) {
      throw InputError(entry.path().string() + ": has the name of " + other->second.string());
    }
  }
  if (error) {
    throw InputError(folder.string() + ": cannot be read: " + error.message());
  }
  if (pictures.empty()) {
    throw InputError(folder.string() + ": holds no pictures");
  }
  std::vector<fs::path> files;
  files.reserve(pictures.size());
  for (auto& [stem, path] : pictures) {
    files.push_back(std::move(path));
  }
  return files;
}

std::string hash_files(const std::vector<fs::path>& files) {
  Sha256 all;
  for (const fs::path& path : files) {
    const std::string bytes = read_file(path);
    all.update_u64(bytes.size());
    all.update(bytes.data(), bytes.size());
  }
  return all.hex();
}

at::Tensor reduce_reference(const at::Tensor& reference, int scale, const std::string& name) {
  const std::int64_t height = reference.size(1);
  const std::int64_t width = reference.size(2);
  if (height % scale != 0 || width % scale != 0) {
    throw InputError(name + ": " + sides_text(reference) +
                     " pixels cannot be reduced evenly to 1/" + std::to_string(scale));
  }
  const at::Tensor exact = reference.unsqueeze(0).to(at::kDouble);
  return as_in_eight_bit_file(resize_bicubic(exact, height / scale, width / scale)).squeeze(0);
}

Evaluation evaluate_outputs(const FolderEvaluationOptions& options, const fs::path& output,
                            std::optional<int> scale, const FeatureNetwork* network,
                            const FolderEvaluationObserver& observer) {
  FolderRun run(options, network, observer);
  const std::vector<fs::path> outputs = outputs_to_measure(run, output);
  run.check_numbers(outputs.size());
  const bool paired = !run.references().empty() && check_pairs(run.references(), outputs, options,
                                                               output, run.compares_pictures());
  if (paired) {
    evaluate_pairs(run, outputs, scale);
  } else {
    evaluate_sets(run, outputs);
  }
  return run.finish();
}

Evaluation evaluate_model(const FolderEvaluationOptions& options, const Upscaler& upscaler,
                          const UpscaleSettings& settings, const fs::path& save,
                          const FeatureNetwork* network, const FolderEvaluationObserver& observer) {
  FolderRun run(options, network, observer);
  if (run.references().empty()) {
    throw UsageError("a model is evaluated on the reference's pictures; name their folder");
  }
  run.check_numbers(run.references().size());
  if (!save.empty()) {
    std::error_code error;
    if (fs::equivalent(save, options.reference, error)) {
      throw UsageError(save.string() +
                       ": holds the references, which the outputs would replace; "
                       "save them in another folder");
    }
    fs::create_directories(save, error);
    if (!fs::is_directory(save)) {
      throw InputError(save.string() + ": cannot be made a folder for the outputs");
    }
  }
  ModelRun(run, upscaler, settings, save, observer)();
  return run.finish();
}

}  // namespace srdiff
