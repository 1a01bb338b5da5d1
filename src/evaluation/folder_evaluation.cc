#include "evaluation/folder_evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "evaluation/folder_run.h"
#include "evaluation/model_run.h"
#include "evaluation/reference_pictures.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

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

std::vector<std::string> stems_without_partner(const std::vector<fs::path>& from,
                                               const std::vector<fs::path>& among) {
  const PictureStems others(among);
  std::vector<std::string> alone;
  for (const fs::path& path : from) {
    if (!others.has(path)) {
      alone.push_back(path.stem().string());
    }
  }
  return alone;
}

/// The pictures in a folder. With a limit, the partners of the references that the limit leaves.
std::vector<fs::path> outputs_to_measure(const FolderRun& run, const fs::path& folder) {
  std::vector<fs::path> all = list_pictures(folder);
  std::vector<fs::path> first = run.limited(all);
  if (first.size() == all.size()) {
    return all;
  }
  const PictureStems references(run.references());
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
    with_name(path, [&] { run.evaluator().add_reference(run.read(path)); });
    run.progress(++done, total);
  }
  for (const fs::path& path : outputs) {
    run.add_alone(path, run.read(path));
    run.progress(++done, total);
  }
}

}  // namespace

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
