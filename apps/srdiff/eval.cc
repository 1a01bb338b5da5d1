#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "evaluation_output.h"
#include "exit_status.h"
#include "json_output.h"
#include "method_options.h"
#include "progress_bar.h"
#include "srdiff/error.h"
#include "srdiff/folder_evaluation.h"
#include "srdiff/logging.h"

namespace {

namespace fs = std::filesystem;
using srdiff::Metric;

struct EvalArgs {
  MethodArgs method;
  std::string reference;
  std::string output;
  std::string metrics;
  std::string features;
  std::string reference_stats;
  std::string save;
  std::string csv;
  std::optional<std::int64_t> limit;
  std::optional<int> scale;
  srdiff::KernelDistanceOptions kid;
  bool json = false;
  bool quiet = false;
};

void check_args(const EvalArgs& args) {
  if (args.output.empty() == args.method.model.empty()) {
    throw srdiff::UsageError("name either --output, pictures to measure, or --model to run");
  }
  if (args.reference.empty() && args.reference_stats.empty()) {
    throw srdiff::UsageError("name the folder of references: --reference DIR");
  }
  if (!args.output.empty() && !args.save.empty()) {
    throw srdiff::UsageError("--save keeps what --model makes; with --output there is nothing");
  }
  if (!args.method.model.empty() && args.scale) {
    throw srdiff::UsageError("--scale is for --output; a model has its own");
  }
  if (args.limit && *args.limit < 1) {
    throw srdiff::UsageError("limit = " + std::to_string(*args.limit) + "; give 1 or more");
  }
  if (args.scale && *args.scale < 1) {
    throw srdiff::UsageError("scale = " + std::to_string(*args.scale) + "; give 1 or more");
  }
}

/// Those asked for, or all that the other options make possible.
std::vector<Metric> chosen_metrics(const EvalArgs& args) {
  if (!args.metrics.empty()) {
    return srdiff::parse_metrics(args.metrics);
  }
  std::vector<Metric> metrics;
  if (!args.features.empty()) {
    metrics = args.reference.empty() ? std::vector<Metric>{Metric::fid}
                                     : std::vector<Metric>{Metric::fid, Metric::kid, Metric::prdc};
  }
  if (!args.reference.empty()) {
    metrics.insert(metrics.end(), {Metric::psnr, Metric::ssim, Metric::ms_ssim});
    if (args.output.empty() || args.scale) {
      metrics.push_back(Metric::consistency);
    }
  }
  return metrics;
}

int run_eval(const EvalArgs& args) {
  const auto start = std::chrono::steady_clock::now();
  spdlog::set_level(args.quiet ? spdlog::level::warn : spdlog::level::info);
  check_args(args);
  srdiff::FolderEvaluationOptions options;
  options.evaluation.metrics = chosen_metrics(args);
  options.evaluation.kid = args.kid;
  options.reference = args.reference;
  options.statistics = args.reference_stats;
  options.limit = args.limit;

  std::optional<ImageFigureFile> csv;
  ProgressBar bar(args.quiet);
  srdiff::FolderEvaluationObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_progress = [&](std::int64_t done, std::int64_t total) {
    bar.update(done, total, "pictures");
  };
  if (!args.csv.empty()) {
    csv.emplace(args.csv, options.evaluation.metrics);
    observer.on_image = [&](const srdiff::ImageFigures& figures) { csv->add(figures); };
  }

  nlohmann::ordered_json document = {{"reference", args.reference}};
  std::optional<Method> method;
  if (args.output.empty()) {
    method = choose_method(args.method);
    document["model"] = {{"name", method->manifest.name}, {"version", method->manifest.version}};
    document["settings"] = to_json(method->settings);
  } else {
    srdiff::set_threads(args.method.threads);
    document["output"] = args.output;
  }
  std::optional<srdiff::FeatureNetwork> network;
  if (!args.features.empty()) {
    const c10::Device device = srdiff::parse_device(args.method.device);
    network = srdiff::FeatureNetwork::load(srdiff::find_features(args.features), device);
    document["features"] = to_json(network->manifest());
  }
  const srdiff::FeatureNetwork* features = network ? &*network : nullptr;
  const srdiff::Evaluation evaluation =
      method ? srdiff::evaluate_model(options, load_upscaler(*method), method->settings, args.save,
                                      features, observer)
             : srdiff::evaluate_outputs(options, args.output, args.scale, features, observer);
  bar.clear();
  if (csv) {
    csv->close();
  }
  const std::chrono::duration<double> total = std::chrono::steady_clock::now() - start;
  if (args.json) {
    document.update(to_json(evaluation, total.count()));
    print_json(document);
  } else {
    std::cout << evaluation.images << " images\n";
    print_table(std::cout, evaluation);
  }
  return exit_ok;
}

}  // namespace

void add_eval(CLI::App& app, Command& command) {
  auto args = std::make_shared<EvalArgs>();
  args->method.model.clear();
  CLI::App& sub = *app.add_subcommand("eval", "Measure pictures against references");
  sub.footer(
      "With --output, pictures are measured as they are; names pair without their ending. With\n"
      "--model, each reference is reduced (antialiased bicubic, 8 bit), upscaled and measured.\n"
      "Exit status: 0 measured, 1 a picture failed, 2 wrong usage, 4 model or device unusable,\n"
      "130 interrupted.");
  sub.add_option("--reference", args->reference, "Folder of true pictures");
  sub.add_option("--output", args->output, "Folder of pictures to measure");
  sub.add_option("--limit", args->limit, "Only the first pictures by name");
  sub.add_option("--save", args->save, "Folder that keeps what --model makes");

  const auto figures = [](auto* option) { return option->group("Figures"); };
  figures(sub.add_option("--metrics", args->metrics,
                         "Of fid,kid,prdc,psnr,ssim,ms-ssim,consistency; default: what can be"));
  figures(sub.add_option("--features", args->features,
                         "Feature network of fid, kid, prdc: a name, or a folder with a /"));
  figures(sub.add_option("--reference-stats", args->reference_stats,
                         "Read the references' mean and covariance (.npz), or write them"));
  figures(sub.add_option("--scale", args->scale, "Of --output, for its consistency"));
  figures(sub.add_option("--kid-subsets", args->kid.subsets, "KID: random subsets"))
      ->capture_default_str();
  figures(sub.add_option("--kid-subset-size", args->kid.subset_size, "KID: pictures in one"))
      ->capture_default_str();
  add_method_options(sub, args->method);

  const auto output = [](auto* option) { return option->group("Output"); };
  output(sub.add_flag("--json", args->json, "Print JSON on standard output, not a table"));
  output(sub.add_option("--csv", args->csv, "File for each picture's figures"));
  output(sub.add_flag("--quiet", args->quiet, "Print warnings and errors only"));
  sub.callback([args, &command] { command = [args] { return run_eval(*args); }; });
}
