#include <spdlog/fmt/fmt.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "benchmark/benchmark.h"
#include "benchmark/benchmark_comparison.h"
#include "benchmark/benchmark_file.h"
#include "commands/commands.h"
#include "commands/method_options.h"
#include "exit_status.h"
#include "interruption.h"
#include "output/json_output.h"
#include "srdiff/logging.h"

namespace {

using nlohmann::ordered_json;

struct BenchArgs {
  MethodArgs method;
  srdiff::BenchmarkOptions options;
  std::string compare;
  bool products = false;
  bool json = false;
  bool quiet = false;
};

std::string milliseconds(const srdiff::Timing& timing) {
  return fmt::format("{:.1f} ms ({:.1f} to {:.1f})", timing.median * 1e3, timing.least * 1e3,
                     timing.most * 1e3);
}

void print_products(const srdiff::EvaluationBenchmark& evaluation) {
  for (const srdiff::ProductBenchmark& product : evaluation.products) {
    std::cout << fmt::format("    {:2} x {:8.3f} ms  {:7.1f} GFLOP/s  {}, {}\n", product.calls,
                             product.best_seconds * 1e3, product.flops / product.best_seconds / 1e9,
                             product.what, product.best_layout);
  }
}

void print_benchmark(const srdiff::Benchmark& benchmark, bool products) {
  for (const auto& [key, value] : benchmark.circumstances) {
    std::cout << key << ": " << value << '\n';
  }
  std::cout << fmt::format("load: {:.3f} s\nwarm-up: {:.3f} s\npeak memory: {:.0f} MiB\n",
                           benchmark.load_seconds, benchmark.warm_up_seconds,
                           static_cast<double>(benchmark.peak_memory_bytes) / 1048576);
  for (const srdiff::ImageBenchmark& image : benchmark.images) {
    std::cout << fmt::format("{}: {}, {:.3g} a second", image.what(), milliseconds(image.seconds),
                             image.images_per_second());
    if (image.regressor_seconds > 0.0) {
      std::cout << fmt::format("; regressor {:.1f} ms", image.regressor_seconds * 1e3);
    }
    if (image.weight_map_seconds > 0.0) {
      std::cout << fmt::format(", weight map {:.1f} ms", image.weight_map_seconds * 1e3);
    }
    std::cout << '\n';
  }
  for (const srdiff::EvaluationBenchmark& evaluation : benchmark.evaluations) {
    std::cout << fmt::format(
        "evaluation, batch {}, {} px: {}, {:.1f} GFLOP/s, {:.2f} of the floor of {:.1f} ms "
        "({:.1f} ms in LibTorch's kernels), {:.2f} of a large matrix product's rate; memory "
        "traffic alone: {:.1f} ms\n",
        evaluation.batch, evaluation.size, milliseconds(evaluation.seconds),
        evaluation.flops_per_second() / 1e9, evaluation.share_of_floor(),
        evaluation.floor_seconds() * 1e3, evaluation.library_floor_seconds() * 1e3,
        evaluation.share_of_matrix_rate(), evaluation.traffic_seconds() * 1e3);
    if (products) {
      print_products(evaluation);
    }
  }
}

void print_comparison(const srdiff::BenchmarkComparison& comparison) {
  for (const srdiff::BenchmarkChange& change : comparison.changes) {
    std::cout << fmt::format("{}: {:.4g} before, {:.4g} now, {:.3f} times\n", change.what,
                             change.before, change.now, change.ratio());
  }
}

ordered_json comparison_json(const srdiff::BenchmarkComparison& comparison) {
  ordered_json changes = ordered_json::array();
  for (const srdiff::BenchmarkChange& change : comparison.changes) {
    changes.push_back({{"what", change.what},
                       {"before", change.before},
                       {"now", change.now},
                       {"ratio", change.ratio()}});
  }
  return {{"differences", comparison.differences}, {"changes", changes}};
}

int run_bench(const BenchArgs& args) {
  spdlog::set_level(args.quiet ? spdlog::level::warn : spdlog::level::info);
  // Before minutes of work: what is wrong with the options or the older file.
  std::optional<srdiff::Benchmark> before;
  if (!args.compare.empty()) {
    before = srdiff::read_benchmark(args.compare);
  }
  Method method = choose_method(args.method);
  srdiff::BenchmarkOptions options = args.options;
  options.settings = method.settings;
  options.trust = method.trust;
  options = srdiff::resolve_benchmark(options, method.manifest);
  if (before) {
    srdiff::require_common(*before, options);
  }
  if (method.any_precision) {
    load_upscaler(method);
  }
  srdiff::BenchmarkObserver observer;
  observer.on_start = [](const std::string& what) { srdiff::log::info("{}", what); };
  observer.cancelled = [] { return interrupted.load(); };
  const srdiff::Benchmark benchmark = srdiff::run_benchmark(
      method.folder, method.manifest, method.device, method.precision, options, observer);
  std::optional<srdiff::BenchmarkComparison> comparison;
  if (before) {
    comparison = srdiff::compare_benchmarks(*before, benchmark);
    for (const std::string& difference : comparison->differences) {
      srdiff::log::warn("{}: {}", args.compare, difference);
    }
  }
  if (args.json) {
    ordered_json document = ordered_json::parse(srdiff::benchmark_json(benchmark));
    if (comparison) {
      document["comparison"] = comparison_json(*comparison);
    }
    print_json(document);
  } else {
    print_benchmark(benchmark, args.products);
    if (comparison) {
      print_comparison(*comparison);
    }
  }
  return exit_ok;
}

}  // namespace

void add_bench(CLI::App& app, Command& command) {
  auto args = std::make_shared<BenchArgs>();
  CLI::App& sub = *app.add_subcommand("bench", "Time a model against what the machine can do");
  sub.footer(
      "Times loading, the denoiser's evaluations and a whole image. The floor is what the\n"
      "convolutions and matrix products of one evaluation take alone, each in its best layout,\n"
      "with srdiff's kernels and, in brackets, with LibTorch's alone; memory traffic, what their\n"
      "bytes take at the rate of a large copy.\n"
      "Figures are medians; the least and the most stand in brackets.\n"
      "Exit status: 0 measured, 1 the older file cannot be compared, 2 wrong usage, 4 model or\n"
      "device unusable, 130 interrupted.");
  MethodArgs& method = args->method;
  sub.add_option("--model", method.model, "Model name, or a folder with a / in it")
      ->capture_default_str();
  sub.add_option("--batch", args->options.batches, "Images in one evaluation, such as 1,8")
      ->delimiter(',')
      ->capture_default_str();
  sub.add_option("--size", args->options.sizes, "Output sides, pixels; default: the model's")
      ->delimiter(',');
  const std::string options = sub.get_option("--model")->get_group();
  add_setting_option(sub, method, "start")
      ->description("Of whole images: predicted, sr, or noise")
      ->group(options);
  add_setting_option(sub, method, "weight_map")
      ->description("Whole images without the weight map")
      ->group(options);
  add_setting_option(sub, method, "nfe")
      ->description("Evaluations for a whole image; default: the model's")
      ->group(options);
  sub.add_option("--repeats", args->options.repeats, "Measurements of each figure")
      ->capture_default_str();
  sub.add_option("--compare", args->compare, "An earlier --json: print the ratios to it");

  const auto machine = [](auto* option) { return option->group("Machine")->capture_default_str(); };
  machine(add_device_option(sub, method));
  machine(add_precision_option(sub, method, "fp32, bf16, (GPU) fp16 or auto (denoiser)"));
  machine(sub.add_option("--threads", method.threads, "Processor threads"));

  const auto output = [](auto* option) { return option->group("Output"); };
  output(sub.add_flag("--products", args->products, "Print each convolution and matrix product"));
  output(sub.add_flag("--json", args->json, "Print JSON on standard output, not a table"));
  output(sub.add_flag("--quiet", args->quiet, "Print warnings and errors only"));
  sub.callback([args, &command] { command = [args] { return run_bench(*args); }; });
}
