#include <algorithm>
#include <string>
#include <vector>

#include "commands/eval_run.h"

namespace {

/// Either pictures that are there are measured, or what a model makes.
void fit_to_pictures(EvalArgs& args) {
  if (args.is_typed("--output")) {
    args.leave_out("--model", args.method.model);
  } else if (args.is_typed("--model")) {
    args.leave_out("--output", args.output);
  }
  if (!args.output.empty()) {
    args.leave_out_aloud("--save", args.save);
  }
  if (!args.method.model.empty()) {
    args.leave_out("--scale", args.scale);
  }
}

bool measures_sets(const EvalArgs& args) {
  if (args.metrics.empty()) {
    return !args.features.empty();
  }
  const std::vector<srdiff::Metric> metrics = srdiff::parse_metrics(args.metrics);
  return std::any_of(metrics.begin(), metrics.end(), srdiff::needs_features);
}

bool measures_pictures(const EvalArgs& args) {
  if (args.metrics.empty()) {
    return !args.reference.empty();
  }
  const std::vector<srdiff::Metric> metrics = srdiff::parse_metrics(args.metrics);
  return !std::all_of(metrics.begin(), metrics.end(), srdiff::needs_features);
}

/// The references' statistics are for distances between sets of whole pictures, a page shows single
/// ones.
void fit_to_figures(EvalArgs& args) {
  if (!measures_sets(args) || args.patch != 0) {
    args.leave_out_aloud("--reference-stats", args.reference_stats);
  }
  if (!args.reference_stats.empty()) {
    args.leave_out_aloud("--patch", args.patch);
  }
  const bool nothing_kept = args.output.empty() && args.save.empty();
  if (nothing_kept || !measures_pictures(args)) {
    args.leave_out_aloud("--html", args.html);
  }
}

}  // namespace

void fit_golden_preferences(EvalArgs& args) {
  // A golden file is of a model.
  if (args.is_typed("--output") && !args.is_typed("--update-golden")) {
    args.leave_out_aloud("--golden", args.golden);
  }
  if (args.golden.empty()) {
    args.leave_out("--update-golden", args.update_golden);
  } else {
    args.leave_out("--output", args.output);
  }
}

void fit_preferences(EvalArgs& args) {
  fit_to_pictures(args);
  fit_to_figures(args);
}
