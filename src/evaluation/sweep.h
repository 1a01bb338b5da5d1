#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/folder_evaluation.h"

namespace srdiff {

/// A grid of settings that is measured cell by cell, as the paper's tables are.
struct SweepPlan {
  std::string name;   ///< a word, for files
  std::string title;  ///< one line, for people
  std::string model;  ///< for find_model
  std::vector<Metric> metrics;
  std::string column_title;  ///< what the columns vary, such as "NFE"
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<UpscaleOptions> cells;  ///< row by row

  /// The same table as a paper states it, to stand beside ours; row by row.
  struct Published {
    std::string label;
    std::vector<double> values;
  };
  std::optional<Published> published;
};

/// Reads a plan from JSON:
///
///     {"name", "title", "model", "figures": ["fid", …], "settings": {…},
///      "rows": [{"label", "settings": {…}}, …],
///      "columns": {"label", "values": [{"label", "settings": {…}}, …]},
///      "paper": {"label", "values": [[…], …]}}
///
/// A cell's settings are the plan's, overridden by its row's and then by its column's. They are
/// those of UpscaleOptions: start, weight_map, t, beta, sampler, nfe, eta, grid, seed, color_fix,
/// tile, tile_overlap.
/// Throws UsageError naming the file and the field at fault.
SweepPlan read_sweep_plan(const std::filesystem::path& path);

/// A cell that was measured.
struct SweepCell {
  UpscaleSettings settings;
  std::vector<Figure> figures;
  double seconds = 0.0;
};

struct SweepOptions {
  std::filesystem::path reference;  ///< folder of true pictures
  std::optional<std::int64_t> limit = {};
  KernelDistanceOptions kid = {};
  std::shared_ptr<const NiqeModel> niqe_model = nullptr;  ///< as EvaluationOptions has it
  std::shared_ptr<const LpipsNetwork> lpips = nullptr;    ///< the same
  c10::ScalarType precision = c10::kFloat;  ///< the upscaler's, which a kept cell depends on
  /// Where each finished cell is kept. One that is there and was measured on the same pictures,
  /// model, networks, settings and version is not measured again.
  std::filesystem::path folder;
};

struct SweepResult {
  std::vector<SweepCell> cells;  ///< row by row
  std::int64_t images = 0;
  std::string reference_hash;  ///< of the pictures' contents
  std::int64_t resumed = 0;    ///< cells that were there already
};

/// All are optional.
struct SweepObserver {
  /// Evaluations of the denoiser, over the cells that are measured in this run.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
  std::function<void(const std::string& row, const std::string& column, const SweepCell&)> on_cell;
  std::function<bool()> cancelled;
};

/// Measures every cell. Throws as evaluate_model; cells that were finished before stay.
SweepResult run_sweep(const SweepPlan& plan, const SweepOptions& options, const Upscaler& upscaler,
                      const FeatureNetwork* network, const SweepObserver& observer = {});

}  // namespace srdiff
