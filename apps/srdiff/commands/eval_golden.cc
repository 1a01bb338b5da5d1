#include <spdlog/fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "commands/eval_run.h"
#include "commands/stopwatch.h"
#include "exit_status.h"
#include "output/golden_output.h"
#include "output/json_output.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace {

namespace fs = std::filesystem;

/// Takes the setting of a golden file for what is not typed: it goes before a configuration's,
/// which is meant for runs that set nothing.
void apply(const srdiff::GoldenSetting& setting, EvalArgs& args) {
  const auto take = [&](const std::string& option, auto& target, const auto& value) {
    if (args.typed.count(option) == 0) {
      target = value;
    }
  };
  const fs::path folder = fs::path(args.golden).parent_path();
  take("--reference", args.reference, (folder / setting.reference).string());
  take("--limit", args.limit, setting.limit);
  take("--metrics", args.metrics, setting.metrics);
  take("--features", args.features, setting.features);
  take("--lpips", args.lpips, setting.lpips);
  take("--model", args.method.model, setting.model);
  take("--patch", args.patch, setting.patch);
  take("--kid-subsets", args.kid.subsets, setting.kid.subsets);
  take("--kid-subset-size", args.kid.subset_size, setting.kid.subset_size);
  srdiff::for_each_setting([&](const auto& listed) {
    if (listed.in_figures) {
      if (args.typed.count(setting_option_name(listed)) == 0) {
        args.method.words.erase(listed.name);
        args.method.switched_off.erase(listed.name);
      }
      take(setting_option_name(listed), args.method.options.*listed.option,
           setting.options.*listed.option);
    }
  });
}

/// Throws where the golden figures are of other networks than the ones that measure.
void check_networks(const EvalArgs& args, const srdiff::Golden& golden) {
  const std::vector<srdiff::Metric> metrics = chosen_metrics(args);
  if (wants_features(args, metrics)) {
    check_features(args.golden, golden,
                   srdiff::read_feature_manifest(srdiff::find_features(args.features)));
  }
  if (contains(metrics, srdiff::Metric::lpips)) {
    check_lpips(args.golden, golden, srdiff::read_lpips_manifest(lpips_folder(args.lpips)));
  }
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
  setting.lpips = args.lpips;
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
  golden = updated_golden(std::move(golden), run.stages, run.evaluation.figures);
  const bool is_new = args.is_typed("--reference");
  golden.setting =
      setting_of(args, is_new ? reference_for_golden(args) : golden.setting.reference, run);
  golden.made_with = made_with(run.method->manifest, run.network, run.lpips.get());
  write_golden(args.golden, golden);
  srdiff::log::info("{}: {} stages and {} figures are golden now", args.golden,
                    golden.stages.size(), golden.figures.size());
  return exit_ok;
}

}  // namespace

int run_golden(EvalArgs args) {
  const Stopwatch watch;
  srdiff::Golden golden = srdiff::read_golden(args.golden);
  if (!args.output.empty()) {
    throw srdiff::UsageError("golden figures are a model's; leave --output out");
  }
  if (!args.update_golden && golden.figures.empty() && golden.stages.empty()) {
    throw srdiff::InputError(args.golden + ": holds no figures yet; write them by --update-golden");
  }
  apply(golden.setting, args);
  fit_preferences(args);
  check_args(args);
  if (!args.update_golden) {
    check_networks(args, golden);
  }
  const EvalRun run = evaluate(args, golden.stage_images);
  if (args.update_golden) {
    return update_golden(args, std::move(golden), run);
  }
  if (args.is_typed("--metrics")) {
    keep_measured(golden, run.evaluation.figures);
    if (golden.figures.empty()) {
      throw srdiff::InputError(args.golden + ": holds no figure of " + args.metrics +
                               "; leave out --metrics, or add them by --update-golden");
    }
  }
  const std::vector<srdiff::Verdict> verdicts =
      verdicts_on(golden, run.stages, run.evaluation.figures);
  if (args.json) {
    nlohmann::ordered_json document = document_of(args, run, watch.seconds());
    document["golden"] = to_json(verdicts);
    print_json(document);
  } else {
    print_verdicts(std::cout, verdicts);
  }
  return report_misses(args.golden, golden, verdicts) ? exit_golden_missed : exit_ok;
}
