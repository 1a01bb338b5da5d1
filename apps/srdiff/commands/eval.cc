#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "commands/commands.h"
#include "commands/method_options.h"
#include "evaluation/folder_evaluation.h"
#include "evaluation/golden.h"
#include "exit_status.h"
#include "output/evaluation_output.h"
#include "output/golden_output.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "srdiff/error.h"
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
  std::string golden;
  bool update_golden = false;
  std::set<std::string> given;  // options on the command line: they go before a golden file's
  std::optional<std::int64_t> limit;
  std::optional<int> scale;
  srdiff::KernelDistanceOptions kid;
  std::int64_t patch = 0;
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

/// In the smaller of the two sets; without end where patches are taken, whose number shows later.
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

/// Those asked for, or all that the other options make possible.
std::vector<Metric> chosen_metrics(const EvalArgs& args) {
  if (!args.metrics.empty()) {
    return srdiff::parse_metrics(args.metrics);
  }
  std::vector<Metric> metrics;
  if (!args.features.empty()) {
    metrics = args.reference.empty() ? std::vector<Metric>{Metric::fid}
                                     : std::vector<Metric>{Metric::fid, Metric::kid, Metric::prdc};
    const std::int64_t pictures = fewest_pictures(args);
    const auto too_few = [&](Metric metric) { return pictures < pictures_needed(metric, {}); };
    metrics.erase(std::remove_if(metrics.begin(), metrics.end(), too_few), metrics.end());
  }
  if (!args.reference.empty()) {
    metrics.insert(metrics.end(), {Metric::psnr, Metric::ssim, Metric::ms_ssim});
    if (args.output.empty() || args.scale) {
      metrics.push_back(Metric::consistency);
    }
  }
  return metrics;
}

/// Names those of a feature network that too few pictures have kept from being measured.
void tell_left_out(const EvalArgs& args, const std::vector<Metric>& metrics) {
  if (!args.metrics.empty() || args.features.empty() || args.reference.empty()) {
    return;
  }
  for (const Metric metric : {Metric::fid, Metric::kid, Metric::prdc}) {
    if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) {
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

/// Takes the setting of a golden file for what the command line does not give.
void apply(const srdiff::GoldenSetting& setting, EvalArgs& args) {
  const auto take = [&](const std::string& option, auto& target, const auto& value) {
    if (args.given.count(option) == 0) {
      target = value;
    }
  };
  const fs::path folder = fs::path(args.golden).parent_path();
  take("--reference", args.reference, (folder / setting.reference).string());
  take("--limit", args.limit, setting.limit);
  take("--metrics", args.metrics, setting.metrics);
  take("--features", args.features, setting.features);
  take("--model", args.method.model, setting.model);
  take("--patch", args.patch, setting.patch);
  take("--kid-subsets", args.kid.subsets, setting.kid.subsets);
  take("--kid-subset-size", args.kid.subset_size, setting.kid.subset_size);
  srdiff::for_each_setting([&](const auto& listed) {
    if (listed.in_figures) {
      take(setting_option_name(listed), args.method.options.*listed.option,
           setting.options.*listed.option);
    }
  });
}

/// What an evaluation is made with, and what came of it.
struct EvalRun {
  std::optional<Method> method;
  std::optional<srdiff::FeatureNetwork> network;
  srdiff::Evaluation evaluation;
  std::vector<srdiff::GoldenStage> stages;
};

bool wants_features(const EvalArgs& args, const std::vector<Metric>& metrics) {
  return !args.features.empty() &&
         std::any_of(metrics.begin(), metrics.end(), srdiff::needs_features);
}

EvalRun evaluate(const EvalArgs& args, std::int64_t stage_images) {
  srdiff::FolderEvaluationOptions options;
  options.evaluation.metrics = chosen_metrics(args);
  check_metrics(args, options.evaluation.metrics);
  options.evaluation.kid = args.kid;
  options.evaluation.patch = args.patch;
  options.reference = args.reference;
  options.statistics = args.reference_stats;
  options.limit = args.limit;

  EvalRun run;
  if (args.output.empty()) {
    run.method = choose_method(args.method);
  } else {
    srdiff::set_threads(args.method.threads);
    srdiff::use_activation_pool();
  }
  if (wants_features(args, options.evaluation.metrics)) {
    run.network = srdiff::FeatureNetwork::load(srdiff::find_features(args.features),
                                               srdiff::parse_device(args.method.device));
  }

  ImageFigureTable csv(options.evaluation.metrics);
  ProgressBar bar(args.quiet);
  srdiff::FolderEvaluationObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_progress = [&](std::int64_t done, std::int64_t total) {
    bar.update(done, total, "pictures");
  };
  if (!args.csv.empty()) {
    observer.on_image = [&](const srdiff::ImageFigures& figures) { csv.add(figures); };
  }
  const srdiff::FeatureNetwork* network = run.network ? &*run.network : nullptr;
  if (run.method) {
    const srdiff::Upscaler upscaler = load_upscaler(*run.method);
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
  document.update(to_json(run.evaluation, seconds));
  return document;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run_figures(const EvalArgs& args) {
  const auto start = std::chrono::steady_clock::now();
  check_args(args);
  const EvalRun run = evaluate(args, 0);
  if (args.json) {
    print_json(document_of(args, run, seconds_since(start)));
  } else {
    const std::int64_t images = run.evaluation.images;
    std::cout << images << (images == 1 ? " image\n" : " images\n");
    print_table(std::cout, run.evaluation);
  }
  return exit_ok;
}

/// The folder of references as a golden file names it: from its own folder, unless in full.
std::string reference_for_golden(const EvalArgs& args) {
  const fs::path reference = args.reference;
  if (reference.is_absolute()) {
    return args.reference;
  }
  const fs::path folder = fs::absolute(args.golden).parent_path();
  return fs::absolute(reference).lexically_normal().lexically_relative(folder).string();
}

/// What was run, for the golden file: what the command line gave is in it too.
srdiff::GoldenSetting setting_of(const EvalArgs& args, const std::string& reference,
                                 const EvalRun& run) {
  srdiff::GoldenSetting setting;
  setting.reference = reference;
  setting.limit = args.limit;
  setting.model = args.method.model;
  setting.features = args.features;
  setting.metrics = args.metrics;
  setting.patch = args.patch;
  setting.kid = args.kid;
  setting.options = settled_options(run.method->settings);
  return setting;
}

int update_golden(const EvalArgs& args, srdiff::Golden golden, const EvalRun& run) {
  for (const srdiff::Figure& figure : run.evaluation.figures) {
    if (!std::isfinite(figure.value)) {
      srdiff::log::warn("{} is {} and is left out", figure.name, figure.value);
    }
  }
  const std::vector<std::string> left_out = keep_measured(golden, run.evaluation.figures);
  if (!left_out.empty()) {
    srdiff::log::warn("{}: {} was not measured and is left out", args.golden,
                      fmt::join(left_out, ", "));
  }
  golden = updated(std::move(golden), run.stages, run.evaluation.figures);
  const bool is_new = args.given.count("--reference") > 0;
  golden.setting =
      setting_of(args, is_new ? reference_for_golden(args) : golden.setting.reference, run);
  golden.made_with = made_with(run.method->manifest, run.network);
  write_golden(args.golden, golden);
  srdiff::log::info("{}: {} stages and {} figures are golden now", args.golden,
                    golden.stages.size(), golden.figures.size());
  return exit_ok;
}

int run_golden(EvalArgs args) {
  const auto start = std::chrono::steady_clock::now();
  srdiff::Golden golden = srdiff::read_golden(args.golden);
  if (!args.output.empty()) {
    throw srdiff::UsageError("golden figures are a model's; leave --output out");
  }
  if (!args.update_golden && golden.figures.empty() && golden.stages.empty()) {
    throw srdiff::InputError(args.golden + ": holds no figures yet; write them by --update-golden");
  }
  apply(golden.setting, args);
  check_args(args);
  if (!args.update_golden && wants_features(args, chosen_metrics(args))) {
    check_features(args.golden, golden,
                   srdiff::read_feature_manifest(srdiff::find_features(args.features)));
  }
  const EvalRun run = evaluate(args, golden.stage_images);
  if (args.update_golden) {
    return update_golden(args, std::move(golden), run);
  }
  if (args.given.count("--metrics") > 0) {
    keep_measured(golden, run.evaluation.figures);
    if (golden.figures.empty()) {
      throw srdiff::InputError(args.golden + ": holds no figure of " + args.metrics +
                               "; leave out --metrics, or add them by --update-golden");
    }
  }
  const std::vector<srdiff::Verdict> verdicts = judge(golden, run.stages, run.evaluation.figures);
  if (args.json) {
    nlohmann::ordered_json document = document_of(args, run, seconds_since(start));
    document["golden"] = to_json(verdicts);
    print_json(document);
  } else {
    print_verdicts(std::cout, verdicts);
  }
  return report_misses(args.golden, golden, verdicts) ? exit_golden_missed : exit_ok;
}

int run_eval_to_its_end(const EvalArgs& args) {
  if (!args.golden.empty()) {
    return run_golden(args);
  }
  if (args.update_golden) {
    throw srdiff::UsageError("--update-golden needs the file: --golden FILE");
  }
  return run_figures(args);
}

int run_eval(const EvalArgs& args) {
  spdlog::set_level(args.quiet ? spdlog::level::warn : spdlog::level::info);
  try {
    return run_eval_to_its_end(args);
  } catch (const srdiff::Cancelled&) {
    if (args.save.empty()) {
      throw;
    }
    srdiff::log::error("interrupted; {} keeps the pictures that were made", args.save);
    return exit_interrupted;
  }
}

}  // namespace

void add_eval(CLI::App& app, Command& command) {
  auto args = std::make_shared<EvalArgs>();
  args->method.model.clear();
  CLI::App& sub = *app.add_subcommand("eval", "Measure pictures against references");
  sub.footer(
      "With --output, pictures are measured as they are; names pair without their ending. With\n"
      "--model, each reference is reduced (antialiased bicubic, 8 bit), upscaled and measured.\n"
      "Exit status: 0 measured, 1 a picture failed, 2 wrong usage, 3 a golden figure was missed,\n"
      "4 model or device unusable, 130 interrupted.");
  sub.add_option("--reference", args->reference, "Folder of true pictures");
  sub.add_option("--output", args->output, "Folder of pictures to measure");
  sub.add_option("--limit", args->limit, "Only the first pictures by name");
  sub.add_option("--save", args->save, "Folder that keeps what --model makes");

  const auto figures = [](auto* option) { return option->group("Figures"); };
  figures(sub.add_option("--metrics", args->metrics,
                         "Of fid,kid,prdc,psnr,ssim,psnr-y,ssim-y,ms-ssim,sharpness,consistency;\n"
                         "default: what can be of them but psnr-y, ssim-y, sharpness"));
  figures(sub.add_option("--features", args->features,
                         "Feature network of fid, kid, prdc: a name, or a folder with a /"));
  figures(sub.add_option("--patch", args->patch,
                         "fid, kid, prdc over squares of this side, not whole pictures"));
  figures(sub.add_option("--reference-stats", args->reference_stats,
                         "Read the references' mean and covariance (.npz), or write them"));
  figures(sub.add_option("--scale", args->scale, "Of --output, for its consistency"));
  figures(sub.add_option("--kid-subsets", args->kid.subsets, "KID: random subsets"))
      ->capture_default_str();
  figures(sub.add_option("--kid-subset-size", args->kid.subset_size, "KID: pictures in one"))
      ->capture_default_str();
  add_method_options(sub, args->method);

  const auto golden = [](auto* option) { return option->group("Golden figures"); };
  golden(sub.add_option("--golden", args->golden, "Run a golden file's setting and compare"));
  golden(sub.add_flag("--update-golden", args->update_golden, "Write what is measured into it"));

  const auto output = [](auto* option) { return option->group("Output"); };
  output(sub.add_flag("--json", args->json, "Print JSON on standard output, not a table"));
  output(sub.add_option("--csv", args->csv, "File for each picture's figures"));
  output(sub.add_flag("--quiet", args->quiet, "Print warnings and errors only"));
  sub.callback([&sub, args, &command] {
    for (const CLI::Option* option : sub.get_options()) {
      if (option->count() > 0) {
        args->given.insert(option->get_name());
      }
    }
    command = [args] { return run_eval(*args); };
  });
}
