#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands/method_options.h"
#include "commands/preferences.h"
#include "evaluation/folder_evaluation.h"
#include "evaluation/golden.h"

/// The options of `srdiff eval`.
struct EvalArgs : OptionOrigins {
  MethodArgs method;
  std::string reference;
  std::string output;
  std::string metrics;
  std::string features;
  std::string lpips;
  std::string reference_stats;
  std::string save;
  std::string csv;
  std::string html;
  std::string golden;
  bool update_golden = false;
  std::optional<std::int64_t> limit;
  std::optional<int> scale;
  srdiff::KernelDistanceOptions kid;
  std::int64_t patch = 0;
  double max_ratio = srdiff::DecodeLimits().max_pixels_per_byte;
  bool accept_damaged = false;
  bool json = false;
  bool quiet = false;
};

/// What an evaluation is made with, and what came of it.
struct EvalRun {
  std::optional<Method> method;
  std::optional<srdiff::FeatureNetwork> network;
  std::shared_ptr<const srdiff::LpipsNetwork> lpips = nullptr;
  srdiff::Evaluation evaluation;
  std::vector<srdiff::GoldenStage> stages;
};

/// Takes back what a configuration alone asks for and the rest has no use for; what was typed
/// stays, and overrides its opposite there. First of all whether a golden file is run, then, with
/// that file's setting, all the rest.
void fit_golden_preferences(EvalArgs& args);
void fit_preferences(EvalArgs& args);

/// Throws UsageError where options are missing or contradict each other.
void check_args(const EvalArgs& args);

/// What is measured of these where no metrics are named and the other options make it possible.
const std::vector<srdiff::Metric>& usual_metrics();

/// The metrics that are asked for, or all that the other options make possible.
std::vector<srdiff::Metric> chosen_metrics(const EvalArgs& args);

/// Whether some of the metrics are seen through a feature network.
bool wants_features(const EvalArgs& args, const std::vector<srdiff::Metric>& metrics);

/// The folder of the network that lpips looks through: the one named, or the usual one.
std::filesystem::path lpips_folder(const std::string& name);

/// Measures what the options name. Of the first `stage_images` pictures the stages are kept.
EvalRun evaluate(const EvalArgs& args, std::int64_t stage_images);

/// What --json prints.
nlohmann::ordered_json document_of(const EvalArgs& args, const EvalRun& run, double seconds);

/// `srdiff eval --golden`: the exit status.
int run_golden(EvalArgs args);
