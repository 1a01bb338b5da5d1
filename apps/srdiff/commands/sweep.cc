#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "base/search_path.h"
#include "commands/commands.h"
#include "commands/eval_run.h"
#include "commands/method_options.h"
#include "evaluation/sweep.h"
#include "exit_status.h"
#include "interruption.h"
#include "output/json_output.h"
#include "output/progress_bar.h"
#include "output/sweep_output.h"
#include "shell_words.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace {

namespace fs = std::filesystem;

struct SweepArgs {
  MethodArgs method;
  std::string config;
  std::string reference;
  std::string out;
  std::string features;
  std::string lpips;
  srdiff::SweepOptions options;
  bool quiet = false;
};

/// Empty where it was not installed.
fs::path plot_script() {
  const fs::path name = "plot_sweep.py";
  const fs::path place = srdiff::first_place_with(srdiff::data_places("scripts"), name);
  return place.empty() ? fs::path() : place / name;
}

/// Runs a program by its name in $PATH, its messages thrown away; whether it ended well.
bool run_quietly(std::vector<std::string> words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int status = -1;
  if (::posix_spawnp(&child, arguments[0], &quiet, nullptr, arguments.data(), environ) == 0) {
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::posix_spawn_file_actions_destroy(&quiet);
  return status == 0;
}

/// A sweep is complete without its plot: that needs matplotlib, which the user's python3 may have,
/// or the system's.
void draw_plot(const fs::path& out) {
  const std::string script = plot_script().string();
  if (script.empty()) {
    srdiff::log::warn("no plot was drawn: plot_sweep.py is not installed");
    return;
  }
  const std::string document = (out / "sweep.json").string();
  const std::string plot = (out / "plot.png").string();
  for (const char* python : {"python3", "/usr/bin/python3"}) {
    if (run_quietly({python, script, document, plot})) {
      srdiff::log::info("{}: the plot", plot);
      return;
    }
  }
  srdiff::log::warn("no plot was drawn; where python3 has matplotlib: python3 {} {} {}", script,
                    document, plot);
}

srdiff::SweepResult run_cells(const SweepArgs& args, const srdiff::SweepPlan& plan,
                              const srdiff::Upscaler& upscaler,
                              const srdiff::FeatureNetwork* features) {
  ProgressBar bar(args.quiet);
  srdiff::SweepObserver observer;
  observer.cancelled = [] { return interrupted.load(); };
  observer.on_progress = [&bar](std::int64_t done, std::int64_t total) {
    bar.update(done, total, "evaluations");
  };
  observer.on_cell = [&bar](const std::string& row, const std::string& column,
                            const srdiff::SweepCell& cell) {
    bar.clear();
    const srdiff::Figure& first = cell.figures.front();
    srdiff::log::info("{}, {}: {} {:.5g}, {:.0f} s", row, column, first.name, first.value,
                      cell.seconds);
  };
  return srdiff::run_sweep(plan, args.options, upscaler, features, observer);
}

/// What niqe and lpips need, where the plan has them.
void load_beside_features(SweepArgs& args, const srdiff::SweepPlan& plan, const Method& method) {
  if (contains(plan.metrics, srdiff::Metric::niqe)) {
    args.options.niqe_model = srdiff::load_niqe_model();
  }
  if (contains(plan.metrics, srdiff::Metric::lpips)) {
    args.options.lpips = std::make_shared<const srdiff::LpipsNetwork>(
        srdiff::LpipsNetwork::load(lpips_folder(args.lpips), method.device, method.trust));
  }
}

void make_folders(SweepArgs& args) {
  args.options.folder = fs::path(args.out) / "cells";
  std::error_code error;
  fs::create_directories(args.options.folder, error);
  if (!fs::is_directory(args.options.folder)) {
    throw srdiff::InputError(args.out + ": cannot be made a folder for the results");
  }
}

void write_results(const SweepArgs& args, const srdiff::SweepPlan& plan,
                   const srdiff::SweepResult& result, const Method& method,
                   const std::optional<srdiff::FeatureNetwork>& features) {
  SweepCircumstances circumstances;
  const srdiff::Machine machine = srdiff::this_machine();
  circumstances.command = typed_command(command_line);
  circumstances.machine = std::to_string(machine.threads) + " threads, " + machine.instruction_set +
                          ", " + method.device.str() + ", " + srdiff::to_string(method.precision);
  circumstances.version = "srdiff " SRDIFF_VERSION ", LibTorch " + machine.libtorch;
  circumstances.model = &method.manifest;
  circumstances.features = features ? &features->manifest() : nullptr;
  circumstances.lpips = args.options.lpips ? &args.options.lpips->manifest() : nullptr;
  const fs::path out = args.out;
  const std::string table = sweep_table(plan, result, circumstances);
  srdiff::write_file_atomically(out / "table.md", table);
  srdiff::write_file_atomically(out / "sweep.json",
                                json_text(sweep_document(plan, result, circumstances), 1));
  draw_plot(out);
  std::cout << table;
  if (result.resumed > 0) {
    srdiff::log::info("{} of {} cells were there already", result.resumed, result.cells.size());
  }
  srdiff::log::info("{}: table.md, sweep.json and the cells", args.out);
}

int sweep(SweepArgs args) {
  spdlog::set_level(args.quiet ? spdlog::level::warn : spdlog::level::info);
  const srdiff::SweepPlan plan = srdiff::read_sweep_plan(args.config);
  if (args.method.model.empty()) {
    args.method.model = plan.model;
  }
  Method method = choose_method(args.method);
  for (const srdiff::UpscaleOptions& cell : plan.cells) {
    srdiff::resolve_settings(cell,
                             method.manifest);  // what cannot run is told before anything runs
  }
  args.options.reference = args.reference;
  std::optional<srdiff::FeatureNetwork> features;
  if (!args.features.empty()) {
    features = srdiff::FeatureNetwork::load(srdiff::find_features(args.features), method.device,
                                            method.trust);
  }
  load_beside_features(args, plan, method);
  make_folders(args);
  srdiff::SweepResult result;
  try {
    const srdiff::Upscaler upscaler = load_upscaler(method);
    args.options.precision = method.precision;
    result = run_cells(args, plan, upscaler, features ? &*features : nullptr);
  } catch (const srdiff::Cancelled&) {
    srdiff::log::error("interrupted; the finished cells are kept: the same command goes on");
    return exit_interrupted;
  }
  write_results(args, plan, result, method, features);
  return exit_ok;
}

}  // namespace

void add_sweep(CLI::App& app, Command& command) {
  auto args = std::make_shared<SweepArgs>();
  args->method.model.clear();
  CLI::App& sub =
      *app.add_subcommand("sweep", "Measure a grid of settings, such as a paper's table");
  sub.footer(
      "configs/table1.json and table2.json are the paper's tables. OUT gets table.md, sweep.json,\n"
      "plot.png (where python3 has matplotlib) and a file a cell: the same command goes on where\n"
      "an earlier one stopped.\n"
      "Exit status: 0 measured, 1 a picture failed, 2 wrong usage, 4 model or device unusable,\n"
      "130 interrupted.");
  sub.add_option("CONFIG", args->config, "JSON: figures, rows, columns, their settings")
      ->required();
  sub.add_option("--reference", args->reference, "Folder of true pictures")->required();
  sub.add_option("--out", args->out, "Folder for the results")->required();
  sub.add_option("--features", args->features,
                 "Feature network of fid, kid, prdc: a name, or a folder with a /");
  sub.add_option("--lpips", args->lpips,
                 "Network of lpips: a name, or a folder with a /; default: lpips-alex");
  sub.add_option("--model", args->method.model, "Model instead of the configuration's");
  sub.add_option("--limit", args->options.limit, "Only the first pictures by name")
      ->check(CLI::PositiveNumber);
  sub.add_option("--kid-subsets", args->options.kid.subsets, "KID: random subsets")
      ->capture_default_str();
  sub.add_option("--kid-subset-size", args->options.kid.subset_size, "KID: pictures in one")
      ->capture_default_str();
  add_machine_options(sub, args->method);
  sub.add_flag("--quiet", args->quiet, "Print warnings and errors only");
  sub.callback([args, &command] { command = [args] { return sweep(*args); }; });
}
