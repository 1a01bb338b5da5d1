#include "evaluation/sweep.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/file_io.h"
#include "base/json_text.h"
#include "evaluation/reference_pictures.h"
#include "pipeline/settings_json.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

/// The settings of a plan, a row or a column, over those before.
void override_settings(const JsonFields& fields, UpscaleOptions& options) {
  if (fields.has("settings")) {
    override_options(fields.object("settings"), options);
  }
}

SweepPlan::Published read_published(const JsonFields& fields, const SweepPlan& plan) {
  fields.allow({"label", "values"});
  SweepPlan::Published published{fields.required<std::string>("label"), {}};
  for (const auto& row : fields.required<std::vector<std::vector<double>>>("values")) {
    if (row.size() == plan.columns.size()) {
      published.values.insert(published.values.end(), row.begin(), row.end());
    }
  }
  if (published.values.size() != plan.cells.size()) {
    throw UsageError("'paper' must state a value for each cell");
  }
  return published;
}

SweepPlan plan_of(const JsonFields& fields) {
  fields.allow({"name", "title", "model", "figures", "settings", "rows", "columns", "paper"});
  SweepPlan plan;
  plan.name = fields.required<std::string>("name");
  plan.title = fields.required<std::string>("title");
  plan.model = fields.required<std::string>("model");
  for (const auto& word : fields.required<std::vector<std::string>>("figures")) {
    for (const Metric metric : parse_metrics(word)) {
      if (!contains(plan.metrics, metric)) {
        plan.metrics.push_back(metric);
      }
    }
  }
  const JsonFields columns = fields.object("columns");
  columns.allow({"label", "values"});
  plan.column_title = columns.required<std::string>("label");
  const std::vector<JsonFields> column_list = columns.objects("values");
  for (const JsonFields& column : column_list) {
    column.allow({"label", "settings"});
    plan.columns.push_back(column.required<std::string>("label"));
  }
  for (const JsonFields& row : fields.objects("rows")) {
    row.allow({"label", "settings"});
    plan.rows.push_back(row.required<std::string>("label"));
    for (const JsonFields& column : column_list) {
      UpscaleOptions options;
      override_settings(fields, options);
      override_settings(row, options);
      override_settings(column, options);
      plan.cells.push_back(options);
    }
  }
  if (plan.cells.empty() || plan.metrics.empty()) {
    throw UsageError("'rows', 'columns: values' and 'figures' must each hold something");
  }
  if (fields.has("paper")) {
    plan.published = read_published(fields.object("paper"), plan);
  }
  return plan;
}

/// JSON has no infinity and no "not a number".
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value)
         : std::isinf(value)  ? ordered_json(value > 0.0 ? "inf" : "-inf")
                              : ordered_json();
}

double number_of(const json& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return value.is_null()     ? std::nan("")
         : value.is_string() ? (value == "-inf" ? -infinity : infinity)
                             : value.get<double>();
}

ordered_json to_json(const Figure& figure) {
  ordered_json object = {
      {"key", figure.key}, {"name", figure.name}, {"value", number(figure.value)}};
  object["spread"] = figure.spread ? number(*figure.spread) : ordered_json();
  object["better"] = to_string(figure.better);
  object["note"] = figure.note;
  return object;
}

Figure figure_of(const json& object) {
  Figure figure;
  figure.key = object.at("key");
  figure.name = object.at("name");
  figure.value = number_of(object.at("value"));
  if (!object.at("spread").is_null()) {
    figure.spread = object.at("spread").get<double>();
  }
  figure.better = parse_better(object.at("better"));
  figure.note = object.at("note");
  return figure;
}

/// A finished cell that is kept in a file, with all that its figures depend on.
class KeptCell {
 public:
  KeptCell(fs::path file, json made_from)
      : file_(std::move(file)), made_from_(std::move(made_from)) {}

  /// Whether the file holds this very cell; a damaged one does not.
  bool load(SweepCell& cell) const {
    std::error_code error;
    if (!fs::exists(file_, error)) {
      return false;
    }
    try {
      const json document = parse_json(read_file(file_));
      if (document.at("made_from") != made_from_) {
        return false;
      }
      cell.seconds = document.at("seconds");
      for (const json& figure : document.at("figures")) {
        cell.figures.push_back(figure_of(figure));
      }
    } catch (const json::exception&) {
      cell.figures.clear();
    } catch (const UsageError&) {  // a word that is not known, or JSON that nests too deeply
      cell.figures.clear();
    }
    return !cell.figures.empty();
  }

  void store(const SweepCell& cell) const {
    ordered_json document = {{"made_from", made_from_}, {"seconds", cell.seconds}};
    document["figures"] = ordered_json::array();
    for (const Figure& figure : cell.figures) {
      document["figures"].push_back(to_json(figure));
    }
    write_file_atomically(file_, document.dump(1) + "\n");
  }

 private:
  fs::path file_;
  json made_from_;
};

/// What all cells of a run have in common.
class Sweep {
 public:
  Sweep(const SweepPlan& plan, const SweepOptions& options, const Upscaler& upscaler,
        const FeatureNetwork* network, const SweepObserver& observer)
      : plan_(plan),
        options_(options),
        upscaler_(upscaler),
        network_(network),
        observer_(observer) {
    std::vector<fs::path> references = list_pictures(options_.reference);
    if (options_.limit && *options_.limit < static_cast<std::int64_t>(references.size())) {
      references.resize(static_cast<std::size_t>(*options_.limit));
    }
    result_.images = static_cast<std::int64_t>(references.size());
    result_.reference_hash = hash_files(references);
  }

  SweepResult operator()() {
    load_kept();
    for (std::size_t i = 0; i < plan_.cells.size(); ++i) {
      if (!done_[i]) {
        measure(i);
      }
      if (observer_.on_cell) {
        const std::size_t columns = plan_.columns.size();
        observer_.on_cell(plan_.rows[i / columns], plan_.columns[i % columns], result_.cells[i]);
      }
    }
    return std::move(result_);
  }

 private:
  void load_kept() {
    for (const UpscaleOptions& options : plan_.cells) {
      SweepCell cell;
      cell.settings = resolve_settings(options, upscaler_.model().manifest());
      const bool found = kept(cell.settings, result_.cells.size()).load(cell);
      done_.push_back(found);
      result_.resumed += found ? 1 : 0;
      total_ += found ? 0 : result_.images * cell.settings.nfe;
      result_.cells.push_back(std::move(cell));
    }
  }

  void measure(std::size_t index) {
    SweepCell& cell = result_.cells[index];
    FolderEvaluationOptions options;
    options.evaluation.metrics = plan_.metrics;
    options.evaluation.kid = options_.kid;
    options.evaluation.niqe_model = options_.niqe_model;
    options.evaluation.lpips = options_.lpips;
    options.reference = options_.reference;
    options.limit = options_.limit;
    options.reference_set = reference_set_;
    FolderEvaluationObserver observer;
    observer.cancelled = observer_.cancelled;
    observer.on_progress = [&](std::int64_t images, std::int64_t /*total*/) {
      if (observer_.on_progress) {
        observer_.on_progress(evaluations_ + images * cell.settings.nfe, total_);
      }
    };
    const auto start = std::chrono::steady_clock::now();
    const Evaluation evaluation =
        evaluate_model(options, upscaler_, cell.settings, {}, network_, observer);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    reference_set_ = evaluation.reference_set;
    evaluations_ += result_.images * cell.settings.nfe;
    cell.figures = evaluation.figures;
    cell.seconds = elapsed.count();
    kept(cell.settings, index).store(cell);
  }

  KeptCell kept(const UpscaleSettings& settings, std::size_t index) const {
    const std::size_t columns = plan_.columns.size();
    const std::string name = "row" + std::to_string(index / columns + 1) + "-column" +
                             std::to_string(index % columns + 1) + ".json";
    return {options_.folder / name, made_from(settings)};
  }

  /// Everything that a cell's figures depend on. Metrics are written as their words: the numbers of
  /// the enumeration change when one is inserted.
  json made_from(const UpscaleSettings& settings) const {
    json figures = json::array();
    for (const Metric metric : plan_.metrics) {
      figures.push_back(to_string(metric));
    }
    json document = {
        {"run", json::parse(made_by(upscaler_.model().manifest(), settings, options_.precision))},
        {"device", upscaler_.model().device().str()},
        {"reference_sha256", result_.reference_hash},
        {"features", network_ != nullptr ? fingerprint(network_->manifest()) : ""},
        {"kid_subsets", options_.kid.subsets},
        {"kid_subset_size", options_.kid.subset_size},
        {"figures", figures}};
    // Named only where it counts: a sweep without goes on with the cells of earlier versions.
    if (contains(plan_.metrics, Metric::niqe) && options_.niqe_model) {
      document["niqe"] = fingerprint(*options_.niqe_model);
    }
    if (contains(plan_.metrics, Metric::lpips) && options_.lpips) {
      document["lpips"] = fingerprint(options_.lpips->manifest());
    }
    return document;
  }

  const SweepPlan& plan_;
  const SweepOptions& options_;
  const Upscaler& upscaler_;
  const FeatureNetwork* network_;
  const SweepObserver& observer_;
  SweepResult result_;
  std::vector<bool> done_;
  std::shared_ptr<const FeatureSet> reference_set_;
  std::int64_t evaluations_ = 0;
  std::int64_t total_ = 0;
};

}  // namespace

SweepPlan read_sweep_plan(const fs::path& path) {
  try {
    return plan_of(JsonFields(parse_json(read_file(path, max_json_bytes)), "the sweep"));
  } catch (const json::exception&) {
    throw UsageError(path.string() + ": is not valid JSON");
  } catch (const InputError& error) {  // it cannot be read
    throw UsageError(error.what());
  } catch (const Error& error) {
    throw UsageError(path.string() + ": " + error.what());
  }
}

SweepResult run_sweep(const SweepPlan& plan, const SweepOptions& options, const Upscaler& upscaler,
                      const FeatureNetwork* network, const SweepObserver& observer) {
  return Sweep(plan, options, upscaler, network, observer)();
}

}  // namespace srdiff
