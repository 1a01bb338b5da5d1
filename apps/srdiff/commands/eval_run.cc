#include "commands/eval_run.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>

#include "base/file_io.h"
#include "commands/commands.h"
#include "evaluation/reference_pictures.h"
#include "interruption.h"
#include "output/evaluation_output.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "page/eval_page.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

using srdiff::Metric;

namespace {

/// How many pictures the smaller of the two sets holds. Of patches the number shows only later, and
/// the result is the largest number.
std::int64_t fewest_pictures(const EvalArgs& args) {
  std::size_t fewest = std::numeric_limits<std::int64_t>::max();
  if (args.patch == 0) {
    for (const std::string& folder : {args.reference, args.output}) {
      if (!folder.empty()) {
        fewest = std::min(fewest, srdiff::list_pictures(folder).size());
      }
    }
    fewest = std::min(fewest, static_cast<std::size_t>(args.limit.value_or(fewest)));
  }
  return static_cast<std::int64_t>(fewest);
}

/// Names those of a feature network that too few pictures have kept from being measured.
void tell_left_out(const EvalArgs& args, const std::vector<Metric>& metrics) {
  if (!args.metrics.empty() || args.features.empty() || args.reference.empty()) {
    return;
  }
  for (const Metric metric : {Metric::fid, Metric::kid, Metric::prdc}) {
    if (!contains(metrics, metric)) {
      srdiff::log::warn("{} needs at least {} pictures and was left out", to_string(metric),
                        pictures_needed(metric, {}));
    }
  }
}

void check_metrics(const EvalArgs& args, const std::vector<Metric>& metrics) {
  if (metrics.empty()) {
    throw srdiff::UsageError("nothing can be measured; name references, or --features");
  }
  if (!args.reference_stats.empty() &&
      std::none_of(metrics.begin(), metrics.end(), srdiff::needs_features)) {
    throw srdiff::UsageError("--reference-stats are for fid; ask for it, or leave them out");
  }
}

/// Whether some of the metrics compare pictures with others.
bool wants_references(const std::string& words) {
  const std::vector<Metric> metrics = srdiff::parse_metrics(words);
  return std::any_of(metrics.begin(), metrics.end(),
                     [](Metric metric) { return metric != Metric::niqe; });
}

srdiff::FolderEvaluationOptions evaluation_options(const EvalArgs& args) {
  srdiff::FolderEvaluationOptions options;
  options.evaluation.metrics = chosen_metrics(args);
  check_metrics(args, options.evaluation.metrics);
  options.evaluation.kid = args.kid;
  options.evaluation.patch = args.patch;
  if (contains(options.evaluation.metrics, Metric::niqe)) {
    options.evaluation.niqe_model = srdiff::load_niqe_model();
  }
  options.reference = args.reference;
  options.statistics = args.reference_stats;
  options.limit = args.limit;
  options.limits.max_pixels_per_byte = args.max_ratio;
  options.limits.accept_damaged = args.accept_damaged;
  return options;
}

/// Those that the metrics look through.
void load_networks(const EvalArgs& args, srdiff::EvaluationOptions& options, EvalRun& run) {
  const auto device = [&args] { return srdiff::parse_device(args.method.device); };
  const srdiff::NetworkTrust trust = network_trust(args.method.trust_model);
  if (wants_features(args, options.metrics)) {
    run.network =
        srdiff::FeatureNetwork::load(srdiff::find_features(args.features), device(), trust);
  }
  if (contains(options.metrics, Metric::lpips)) {
    run.lpips = std::make_shared<const srdiff::LpipsNetwork>(
        srdiff::LpipsNetwork::load(lpips_folder(args.lpips), device(), trust));
    options.lpips = run.lpips;
  }
}

}  // namespace

void check_args(const EvalArgs& args) {
  if (args.output.empty() == args.method.model.empty()) {
    throw srdiff::UsageError("name either --output, pictures to measure, or --model to run");
  }
  const bool alone = !args.metrics.empty() && !wants_references(args.metrics);
  if (args.reference.empty() && args.reference_stats.empty() && !alone) {
    throw srdiff::UsageError("name the folder of references: --reference DIR");
  }
  if (!args.output.empty() && !args.save.empty()) {
    throw srdiff::UsageError("--save keeps what --model makes; leave it out with --output");
  }
  if (!args.method.model.empty() && args.scale) {
    throw srdiff::UsageError("--scale is for --output; a model has its own");
  }
  if (args.patch != 0 && !args.reference_stats.empty()) {
    throw srdiff::UsageError("--reference-stats holds whole pictures; leave it or --patch out");
  }
  if (args.limit && *args.limit < 1) {
    throw srdiff::UsageError("limit = " + std::to_string(*args.limit) + "; give 1 or more");
  }
  if (args.scale && *args.scale < 1) {
    throw srdiff::UsageError("scale = " + std::to_string(*args.scale) + "; give 1 or more");
  }
}

const std::vector<Metric>& usual_metrics() {
  static const std::vector<Metric> usual = {Metric::fid,   Metric::kid,        Metric::prdc,
                                            Metric::psnr,  Metric::ssim,       Metric::ms_ssim,
                                            Metric::lpips, Metric::consistency};
  return usual;
}

std::vector<Metric> chosen_metrics(const EvalArgs& args) {
  if (!args.metrics.empty()) {
    return srdiff::parse_metrics(args.metrics);
  }
  const std::int64_t pictures = args.features.empty() ? 0 : fewest_pictures(args);
  const bool has_pairs = !args.reference.empty();
  const auto possible = [&](Metric metric) {
    if (srdiff::needs_features(metric)) {
      return pictures >= pictures_needed(metric, {}) && (has_pairs || metric == Metric::fid);
    }
    return has_pairs && (metric != Metric::consistency || args.output.empty() || args.scale) &&
           (metric != Metric::lpips || !args.lpips.empty());
  };
  std::vector<Metric> metrics;
  std::copy_if(usual_metrics().begin(), usual_metrics().end(), std::back_inserter(metrics),
               possible);
  return metrics;
}

bool wants_features(const EvalArgs& args, const std::vector<Metric>& metrics) {
  return !args.features.empty() &&
         std::any_of(metrics.begin(), metrics.end(), srdiff::needs_features);
}

std::filesystem::path lpips_folder(const std::string& name) {
  return srdiff::find_lpips(name.empty() ? srdiff::usual_lpips : name);
}

EvalRun evaluate(const EvalArgs& args, std::int64_t stage_images) {
  srdiff::FolderEvaluationOptions options = evaluation_options(args);
  args.tell_left_out();
  if (!args.html.empty()) {
    check_eval_page(args, options.evaluation.metrics);
  }
  EvalRun run;
  if (args.output.empty()) {
    run.method = choose_method(args.method);
  } else {
    set_up_networks(args.method);
  }
  load_networks(args, options.evaluation, run);

  ImageFigureTable csv(options.evaluation.metrics);
  ProgressBar bar(args.quiet);
  srdiff::FolderEvaluationObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_progress = [&](std::int64_t done, std::int64_t total) {
    bar.update(done, total, "pictures");
  };
  std::optional<EvalPage> page;
  if (!args.html.empty()) {
    page.emplace(args, options.evaluation.metrics,
                 run.method ? std::optional(run.method->manifest.scale) : args.scale);
  }
  if (!args.csv.empty() || page) {
    observer.on_image = [&](const srdiff::ImageFigures& figures) {
      csv.add(figures);
      if (page) {
        page->add(figures);
      }
    };
  }
  const srdiff::FeatureNetwork* network = run.network ? &*run.network : nullptr;
  if (run.method) {
    const srdiff::Upscaler upscaler =
        load_upscaler(*run.method, needed_parts(run.method->settings));
    srdiff::StageRecorder recorder(upscaler.model().schedule(), stage_images);
    if (stage_images > 0) {
      observer.on_state = [&](const std::string& image, const srdiff::UpscaleState& state) {
        recorder.add(image, state);
      };
    }
    run.evaluation = srdiff::evaluate_model(options, upscaler, run.method->settings, args.save,
                                            network, observer);
    run.stages = recorder.stages();
  } else {
    run.evaluation = srdiff::evaluate_outputs(options, args.output, args.scale, network, observer);
  }
  if (!args.csv.empty()) {
    srdiff::write_file_atomically(args.csv, csv.text());
  }
  if (page) {
    page->write(run);
  }
  tell_left_out(args, options.evaluation.metrics);
  return run;
}

nlohmann::ordered_json document_of(const EvalArgs& args, const EvalRun& run, double seconds) {
  nlohmann::ordered_json document = {{"reference", args.reference}};
  if (run.method) {
    const srdiff::Manifest& model = run.method->manifest;
    document["model"] = {{"name", model.name}, {"version", model.version}};
    document["settings"] = to_json(run.method->settings);
  } else {
    document["output"] = args.output;
  }
  if (run.network) {
    document["features"] = to_json(run.network->manifest());
  }
  if (run.lpips) {
    document["lpips"] = to_json(run.lpips->manifest());
  }
  document.update(to_json(run.evaluation, seconds));
  return document;
}
