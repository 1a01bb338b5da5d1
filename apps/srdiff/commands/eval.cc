#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/counted.h"
#include "commands/commands.h"
#include "commands/eval_run.h"
#include "commands/stopwatch.h"
#include "evaluation/evaluator.h"
#include "exit_status.h"
#include "help/offered_words.h"
#include "output/evaluation_output.h"
#include "output/json_output.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "typed_options.h"

namespace {

int run_figures(const EvalArgs& args) {
  const Stopwatch watch;
  check_args(args);
  const EvalRun run = evaluate(args, 0);
  if (args.json) {
    print_json(document_of(args, run, watch.seconds()));
  } else {
    std::cout << srdiff::counted(run.evaluation.images, "image") << "\n";
    print_table(std::cout, run.evaluation);
  }
  return exit_ok;
}

int run_eval_to_its_end(EvalArgs args) {
  fit_golden_preferences(args);
  if (!args.golden.empty()) {
    return run_golden(args);
  }
  if (args.update_golden) {
    throw srdiff::UsageError("--update-golden needs the file: --golden FILE");
  }
  fit_preferences(args);
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

/// The words in lines of the help.
std::string wrapped(const std::vector<std::string>& words, const std::string& separator) {
  constexpr std::size_t width = 68;
  std::string text;
  std::size_t line = 0;
  for (const std::string& word : words) {
    if (!text.empty()) {
      text += separator;
      line += separator.size();
      if (line + word.size() > width) {
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
        line = 0;
      }
    }
    text += word;
    line += word.size();
  }
  return text;
}

/// The words of the metrics that are measured only where they are named.
std::vector<std::string> unusual_metrics() {
  std::vector<std::string> words = srdiff::metric_choices();
  for (const srdiff::Metric metric : usual_metrics()) {
    words.erase(std::remove(words.begin(), words.end(), to_string(metric)), words.end());
  }
  return words;
}

void add_figure_options(CLI::App& sub, EvalArgs& args) {
  const auto figures = [](auto* option) { return option->group("Figures"); };
  auto* const metrics =
      sub.add_option("--metrics", args.metrics,
                     "Of " + wrapped(srdiff::metric_choices(), ",") +
                         ";\ndefault: what can be of them but " + wrapped(unusual_metrics(), ", "));
  figures(offer_words(metrics, {srdiff::metric_choices(), /*is_list=*/true}));
  figures(sub.add_option("--features", args.features,
                         "Feature network of fid, kid, prdc: a name, or a folder with a /"));
  figures(sub.add_option("--lpips", args.lpips,
                         "Network of lpips: a name, or a folder with a /; default: lpips-alex"));
  figures(sub.add_option("--patch", args.patch,
                         "fid, kid, prdc over squares of this side, not whole pictures"));
  figures(sub.add_option("--reference-stats", args.reference_stats,
                         "Read the references' mean and covariance (.npz), or write them"));
  figures(sub.add_option("--scale", args.scale, "Of --output, for its consistency"));
  figures(sub.add_option("--kid-subsets", args.kid.subsets, "KID: random subsets"))
      ->capture_default_str();
  figures(sub.add_option("--kid-subset-size", args.kid.subset_size, "KID: pictures in one"))
      ->capture_default_str();
  sub.add_option("--max-ratio", args.max_ratio,
                 "Pixels for each byte of a picture above 16 Mi pixels")
      ->check(ratio_problem, "")
      ->capture_default_str()
      ->group("Limits, more");
  sub.add_flag("--accept-damaged", args.accept_damaged,
               "Read what is left of damaged pictures, grey where they end")
      ->group("Limits, more");
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

  add_figure_options(sub, *args);
  add_method_options(sub, args->method);

  const auto golden = [](auto* option) { return option->group("Golden figures"); };
  golden(sub.add_option("--golden", args->golden, "Run a golden file's setting and compare"));
  golden(sub.add_flag("--update-golden", args->update_golden, "Write what is measured into it"));

  const auto output = [](auto* option) { return option->group("Output"); };
  output(sub.add_flag("--json", args->json, "Print JSON on standard output, not a table"));
  output(sub.add_option("--csv", args->csv, "File for each picture's figures"));
  output(sub.add_option("--html", args->html,
                        "Page to look at the pictures with their figures, worst first"));
  output(sub.add_flag("--quiet", args->quiet, "Print warnings and errors only"));
  sub.callback([&app, &sub, args, &command] {
    args->config = given_config(app);
    args->typed = typed_options(sub);
    command = [args] { return run_eval(*args); };
  });
}
