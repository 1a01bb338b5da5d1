#include "benchmark/benchmark.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/cancellation.h"
#include "base/file_io.h"
#include "base/json_fields.h"
#include "benchmark/layer_products.h"
#include "engine/backend.h"
#include "engine/cpu/activation_pool.h"
#include "engine/cpu/blas_threads.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/upscaler.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

/// Of a report's file, written and required; to be raised when what is measured changes.
constexpr int format = 1;

constexpr const char* nothing_in_common =
    "the two benchmarks have no batch and size in common; give the same lists";

std::int64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

/// Runs and times calls on one device, and stops between them when asked.
class DeviceClock {
 public:
  DeviceClock(c10::Device device, const BenchmarkObserver& observer)
      : device_(device), observer_(observer) {}

  double seconds(const std::function<void()>& call) const {
    stop_if(observer_.cancelled);
    wait_for_device();
    const auto start = std::chrono::steady_clock::now();
    call();
    wait_for_device();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void tell(const std::string& what) const {
    if (observer_.on_start) {
      observer_.on_start(what);
    }
  }

 private:
  void wait_for_device() const { backend_for(device_).synchronize(); }

  c10::Device device_;
  const BenchmarkObserver& observer_;
};

/// The layouts of one product with what was measured.
struct ProductRun {
  Product product;
  std::int64_t calls;
  std::vector<ProductLayout> layouts;
  std::vector<std::vector<double>> seconds;  ///< of each layout
  cpu::ActivationPool memory = {};

  void measure(const DeviceClock& clock) {
    const cpu::ActivationPool::Call call(memory);  // blocks of a network are kept as well
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      layouts[i].run();  // the first call prepares the kernel
      seconds[i].push_back(clock.seconds(layouts[i].run));
    }
  }

  ProductBenchmark result() const {
    ProductBenchmark best{describe(product), calls, flops(product), 0.0, "", traffic(product)};
    const auto improve = [](double& least, double other) {
      const bool better = least == 0.0 || other < least;
      least = better ? other : least;
      return better;
    };
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      const double median = timing_of(seconds[i]).median;
      if (improve(best.best_seconds, median)) {
        best.best_layout = layouts[i].name;
      }
      if (!layouts[i].own) {
        improve(best.library_seconds, median);
      }
    }
    return best;
  }
};

/// The denoiser's call on a picture of noise: its time depends on no values.
std::function<void()> evaluation_of(const Model& model, std::int64_t batch, std::int64_t size) {
  const at::Tensor image =
      at::rand({batch, 3, size, size}, at::TensorOptions().device(model.device()));
  return [&model, image] { model.denoise(image, image, model.manifest().defaults.t); };
}

std::string label(std::int64_t batch, std::int64_t size) {
  return "batch " + std::to_string(batch) + ", " + std::to_string(size) + " px";
}

/// A product of square matrices, large enough that the device computes all the time.
std::function<void()> matrix_product_on(c10::Device device, c10::ScalarType precision,
                                        std::int64_t side) {
  const at::Tensor matrix =
      at::rand({side, side}, at::TensorOptions().device(device)).to(precision);
  return [matrix] {
    cpu::set_blas_threads(at::get_num_threads());
    at::matmul(matrix, matrix);
    cpu::set_blas_threads(1);  // as set_threads leaves it
  };
}

/// A copy far larger than any cache, on a device; `bytes` are read and as many written.
std::function<void()> copy_on(c10::Device device, std::int64_t bytes) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kByte).device(device);
  const at::Tensor source = at::ones({bytes}, options);
  const at::Tensor target = at::zeros({bytes}, options);
  return [source, target] { target.copy_(source); };
}

std::string count_of_images(std::int64_t images) {
  return images == 1 ? "one image" : std::to_string(images) + " images";
}

EvaluationBenchmark measure_evaluation(const Model& model, const EvaluationBenchmark& measured,
                                       const DeviceClock& clock, int repeats) {
  EvaluationBenchmark result = measured;
  clock.tell("evaluation and floor, " + label(result.batch, result.size));
  const auto evaluate = evaluation_of(model, result.batch, result.size);
  std::vector<ProductRun> products;
  for (const auto& [product, calls] : record_products(evaluate)) {
    std::vector<ProductLayout> layouts = layouts_of(product, model.device());
    const std::size_t count = layouts.size();
    products.push_back(
        {product, calls, std::move(layouts), std::vector<std::vector<double>>(count)});
  }
  const auto [side, copied] = backend_for(model.device()).ceiling_sizes();
  const auto multiply = matrix_product_on(model.device(), model.precision(), side);
  multiply();
  const auto copy = copy_on(model.device(), copied);
  std::vector<double> seconds;
  std::vector<double> matrix_seconds;
  std::vector<double> copy_seconds;
  for (int i = 0; i < repeats; ++i) {
    matrix_seconds.push_back(clock.seconds(multiply));
    copy_seconds.push_back(clock.seconds(copy));
    evaluate();  // the products of the repeat before have driven the weights out of the caches
    seconds.push_back(clock.seconds(evaluate));
    for (ProductRun& product : products) {
      product.measure(clock);
    }
  }
  result.seconds = timing_of(std::move(seconds));
  const double matrix_flops = 2.0 * std::pow(static_cast<double>(side), 3);
  result.matrix_flops_per_second = matrix_flops / timing_of(std::move(matrix_seconds)).median;
  result.copy_bytes_per_second =
      2.0 * static_cast<double>(copied) / timing_of(std::move(copy_seconds)).median;
  for (const ProductRun& product : products) {
    result.products.push_back(product.result());
  }
  return result;
}

UpscaleSettings recommended(const Manifest& manifest) {
  UpscaleOptions options;
  if (!manifest.regressor) {
    options.start = Start::noise;
  }
  options.weight_map = manifest.weight_map.has_value();
  return resolve_settings(options, manifest);
}

ImageBenchmark measure_images(const Upscaler& upscaler, const UpscaleSettings& settings,
                              std::int64_t size, std::int64_t images, const DeviceClock& clock,
                              int repeats) {
  clock.tell(count_of_images(images) + ", " + std::to_string(size) + " px");
  const std::int64_t side = size / upscaler.model().manifest().scale;
  const at::Tensor lr = at::rand({images, 3, side, side});
  const auto upscale = [&] { upscaler.upscale(lr, settings); };
  const Backend& backend = backend_for(upscaler.model().device());
  if (backend.prepares_shapes()) {
    upscale();  // the first call of a shape measures kernels and records
    upscale();
  }
  const Model& model = upscaler.model();
  // Images side by side have no part of their own: each is on its way by itself.
  const bool in_parts = images == 1 || !backend.one_image_per_call();
  const bool with_regressor = in_parts && needs_regressor(settings, model.manifest());
  const at::Tensor lr_there = lr.to(model.device());
  const at::Tensor x_sr = at::rand({images, 3, size, size}).to(model.device());
  std::vector<double> seconds;
  std::vector<double> regressor;
  std::vector<double> weight_map;
  for (int i = 0; i < repeats; ++i) {
    seconds.push_back(clock.seconds(upscale));
    if (with_regressor) {
      regressor.push_back(clock.seconds([&] { model.regress(lr_there); }));
    }
    if (in_parts && settings.weight_map) {
      weight_map.push_back(clock.seconds([&] { model.weigh(x_sr); }));
    }
  }
  const auto median = [](std::vector<double>& times) {
    return times.empty() ? 0.0 : timing_of(std::move(times)).median;
  };
  return {size,           settings.nfe,       timing_of(std::move(seconds)),
          images,         median(regressor),  median(weight_map),
          settings.start, settings.weight_map};
}

std::vector<std::pair<std::string, std::string>> circumstances_of(const Manifest& manifest,
                                                                  c10::Device device,
                                                                  c10::ScalarType precision) {
  const Machine machine = this_machine();
  return {{"model", manifest.name + " " + manifest.version},
          {"model_sha256", manifest.sha256},
          {"processor", machine.processor},
          {"device", device.str()},
          {"threads", std::to_string(machine.threads)},
          {"instruction_set", machine.instruction_set},
          {"precision", to_string(precision)},
          {"libtorch", machine.libtorch},
          {"srdiff", SRDIFF_VERSION}};
}

ordered_json to_json(const Timing& timing) {
  return {{"median", timing.median}, {"least", timing.least}, {"most", timing.most}};
}

Timing read_timing(const JsonFields& fields) {
  return {fields.required<double>("median"), fields.required<double>("least"),
          fields.required<double>("most")};
}

ordered_json to_json(const EvaluationBenchmark& evaluation) {
  ordered_json products = ordered_json::array();
  for (const ProductBenchmark& product : evaluation.products) {
    products.push_back({{"what", product.what},
                        {"calls", product.calls},
                        {"flops", product.flops},
                        {"best_seconds", product.best_seconds},
                        {"best_layout", product.best_layout},
                        {"library_seconds", product.library_seconds},
                        {"bytes", product.bytes}});
  }
  return {{"batch", evaluation.batch},
          {"size", evaluation.size},
          {"seconds", to_json(evaluation.seconds)},
          {"gflop", evaluation.flops() / 1e9},
          {"gflop_per_second", evaluation.flops_per_second() / 1e9},
          {"floor_seconds", evaluation.floor_seconds()},
          {"share_of_floor", evaluation.share_of_floor()},
          {"library_floor_seconds", evaluation.library_floor_seconds()},
          {"matrix_gflop_per_second", evaluation.matrix_flops_per_second / 1e9},
          {"copy_gigabyte_per_second", evaluation.copy_bytes_per_second / 1e9},
          {"traffic_seconds", evaluation.traffic_seconds()},
          {"products", products}};
}

EvaluationBenchmark read_evaluation(const JsonFields& fields) {
  EvaluationBenchmark evaluation;
  evaluation.batch = fields.required<std::int64_t>("batch");
  evaluation.size = fields.required<std::int64_t>("size");
  evaluation.seconds = read_timing(fields.object("seconds"));
  evaluation.copy_bytes_per_second = 1e9 * fields.optional("copy_gigabyte_per_second", 0.0);
  evaluation.matrix_flops_per_second = 1e9 * fields.optional("matrix_gflop_per_second", 0.0);
  for (const JsonFields& product : fields.objects("products")) {
    evaluation.products.push_back(
        {product.required<std::string>("what"), product.required<std::int64_t>("calls"),
         product.required<double>("flops"), product.required<double>("best_seconds"),
         product.required<std::string>("best_layout"), product.optional("bytes", 0.0),
         product.optional("library_seconds", 0.0)});
  }
  return evaluation;
}

Benchmark read_fields(const JsonFields& fields) {
  fields.expect("format", format);
  Benchmark benchmark;
  for (const auto& [key, value] :
       fields.required<ordered_json>("circumstances").get<std::map<std::string, std::string>>()) {
    benchmark.circumstances.emplace_back(key, value);
  }
  benchmark.repeats = fields.required<int>("repeats");
  benchmark.load_seconds = fields.required<double>("load_seconds");
  benchmark.warm_up_seconds = fields.required<double>("warm_up_seconds");
  benchmark.peak_memory_bytes = fields.required<std::int64_t>("peak_memory_bytes");
  for (const JsonFields& evaluation : fields.objects("evaluations")) {
    benchmark.evaluations.push_back(read_evaluation(evaluation));
  }
  for (const JsonFields& image : fields.objects("images")) {
    benchmark.images.push_back(
        {image.required<std::int64_t>("size"), image.required<int>("nfe"),
         read_timing(image.object("seconds")), image.optional("images", std::int64_t{1}),
         image.optional("regressor_seconds", 0.0), image.optional("weight_map_seconds", 0.0),
         parse_start(image.optional("start", to_string(Start::predicted))),
         image.optional("weight_map", true)});
  }
  return benchmark;
}

void compare_evaluations(const Benchmark& before, const Benchmark& now,
                         std::vector<BenchmarkChange>& changes) {
  for (const EvaluationBenchmark& old : before.evaluations) {
    for (const EvaluationBenchmark& current : now.evaluations) {
      if (old.batch != current.batch || old.size != current.size) {
        continue;
      }
      const std::string what = "evaluation, " + label(old.batch, old.size) + ": ";
      changes.push_back({what + "seconds", old.seconds.median, current.seconds.median});
      changes.push_back({what + "floor, seconds", old.floor_seconds(), current.floor_seconds()});
      changes.push_back(
          {what + "share of the floor", old.share_of_floor(), current.share_of_floor()});
    }
  }
}

void compare_images(const Benchmark& before, const Benchmark& now,
                    std::vector<BenchmarkChange>& changes) {
  for (const ImageBenchmark& old : before.images) {
    for (const ImageBenchmark& current : now.images) {
      if (old.what() == current.what()) {
        changes.push_back({old.what() + ": seconds", old.seconds.median, current.seconds.median});
      }
    }
  }
}

}  // namespace

Timing timing_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t half = seconds.size() / 2;
  const double median =
      seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2.0;
  return {median, seconds.front(), seconds.back()};
}

double EvaluationBenchmark::total(double ProductBenchmark::*of_call) const {
  double sum = 0.0;
  for (const ProductBenchmark& product : products) {
    sum += static_cast<double>(product.calls) * product.*of_call;
  }
  return sum;
}

double EvaluationBenchmark::flops() const {
  return total(&ProductBenchmark::flops);
}

double EvaluationBenchmark::floor_seconds() const {
  return total(&ProductBenchmark::best_seconds);
}

double EvaluationBenchmark::library_floor_seconds() const {
  return total(&ProductBenchmark::library_seconds);
}

double EvaluationBenchmark::traffic_seconds() const {
  return copy_bytes_per_second > 0.0 ? total(&ProductBenchmark::bytes) / copy_bytes_per_second
                                     : 0.0;
}

std::string ImageBenchmark::what() const {
  const char* const from = start == Start::noise ? ", from noise"
                           : start == Start::sr  ? ", from x_sr"
                           : weight_map          ? ""
                                                 : ", without a weight map";
  return count_of_images(images) + ", " + std::to_string(size) + " px, " + std::to_string(nfe) +
         " evaluations" + from;
}

BenchmarkOptions resolve(BenchmarkOptions options, const Manifest& manifest) {
  if (options.repeats < 1) {
    throw UsageError("repeats = " + std::to_string(options.repeats) + "; give 1 or more");
  }
  if (options.sizes.empty()) {
    options.sizes = {manifest.native_size};
  }
  for (const std::int64_t batch : options.batches) {
    if (batch < 1) {
      throw UsageError("batch = " + std::to_string(batch) + "; give 1 or more");
    }
  }
  const std::int64_t multiple = std::int64_t{manifest.scale} * manifest.size_multiple;
  for (const std::int64_t size : options.sizes) {
    if (size < multiple || size % multiple != 0 || size > manifest.max_output_pixels / size) {
      throw UsageError("size = " + std::to_string(size) + "; give a multiple of " +
                       std::to_string(multiple) + " pixels whose square is at most " +
                       std::to_string(manifest.max_output_pixels));
    }
  }
  return options;
}

Benchmark run_benchmark(const fs::path& folder, const Manifest& manifest, c10::Device device,
                        c10::ScalarType precision, const BenchmarkOptions& wanted,
                        const BenchmarkObserver& observer) {
  const BenchmarkOptions options = resolve(wanted, manifest);
  const c10::InferenceMode no_gradients;
  const DeviceClock clock(device, observer);
  Benchmark result;
  result.circumstances = circumstances_of(manifest, device, precision);
  result.repeats = options.repeats;

  clock.tell("loading");
  std::optional<Model> model;
  result.load_seconds =
      clock.seconds([&] { model = Model::load(folder, manifest, device, precision); });
  for (const std::int64_t size : options.sizes) {
    for (const std::int64_t batch : options.batches) {
      const double first = clock.seconds(evaluation_of(*model, batch, size));
      if (result.evaluations.empty()) {
        result.warm_up_seconds = first;
      }
      result.evaluations.push_back({batch, size, {}, {}});
    }
  }
  const Upscaler upscaler(*model);
  const UpscaleSettings settings = options.settings ? *options.settings : recommended(manifest);
  for (const std::int64_t size : options.sizes) {
    const std::int64_t side = size / manifest.scale;
    std::set<std::int64_t> counts = {1,
                                     upscaler.images_at_once(upscaler.plan(side, side, settings))};
    for (const std::int64_t count : counts) {
      result.images.push_back(
          measure_images(upscaler, settings, size, count, clock, options.repeats));
    }
  }
  result.peak_memory_bytes = peak_memory();
  for (EvaluationBenchmark& evaluation : result.evaluations) {
    evaluation = measure_evaluation(*model, evaluation, clock, options.repeats);
  }
  return result;
}

std::string benchmark_json(const Benchmark& benchmark) {
  ordered_json circumstances = ordered_json::object();
  for (const auto& [key, value] : benchmark.circumstances) {
    circumstances[key] = value;
  }
  ordered_json evaluations = ordered_json::array();
  for (const EvaluationBenchmark& evaluation : benchmark.evaluations) {
    evaluations.push_back(to_json(evaluation));
  }
  ordered_json images = ordered_json::array();
  for (const ImageBenchmark& image : benchmark.images) {
    images.push_back({{"size", image.size},
                      {"nfe", image.nfe},
                      {"start", to_string(image.start)},
                      {"weight_map", image.weight_map},
                      {"images", image.images},
                      {"seconds", to_json(image.seconds)},
                      {"regressor_seconds", image.regressor_seconds},
                      {"weight_map_seconds", image.weight_map_seconds},
                      {"images_per_second", image.images_per_second()}});
  }
  return ordered_json{{"format", format},
                      {"circumstances", circumstances},
                      {"repeats", benchmark.repeats},
                      {"load_seconds", benchmark.load_seconds},
                      {"warm_up_seconds", benchmark.warm_up_seconds},
                      {"peak_memory_bytes", benchmark.peak_memory_bytes},
                      {"evaluations", evaluations},
                      {"images", images}}
      .dump();
}

Benchmark read_benchmark(const fs::path& path) {
  const std::string text = read_file(path);
  try {
    return read_fields({json::parse(text), path.string()});
  } catch (const json::exception&) {
    throw InputError(path.string() + ": is no result of srdiff bench --json");
  } catch (const UsageError& error) {
    throw InputError(path.string() + ": " + error.what());
  } catch (const ModelError& error) {
    throw InputError(std::string(error.what()) + "; give a result of srdiff bench --json");
  }
}

void require_common(const Benchmark& before, const BenchmarkOptions& options) {
  const auto is_wanted = [&](const EvaluationBenchmark& old) {
    const auto has = [](const std::vector<std::int64_t>& values, std::int64_t value) {
      return std::find(values.begin(), values.end(), value) != values.end();
    };
    return has(options.batches, old.batch) && has(options.sizes, old.size);
  };
  if (std::none_of(before.evaluations.begin(), before.evaluations.end(), is_wanted)) {
    throw InputError(nothing_in_common);
  }
}

BenchmarkComparison compare(const Benchmark& before, const Benchmark& now) {
  BenchmarkComparison comparison;
  const std::map<std::string, std::string> old(before.circumstances.begin(),
                                               before.circumstances.end());
  for (const auto& [key, value] : now.circumstances) {
    const auto found = old.find(key);
    const std::string was = found == old.end() ? "unknown" : found->second;
    if (was != value) {
      std::string difference = key;
      difference.append(": ").append(was).append(" before, ").append(value).append(" now");
      comparison.differences.push_back(std::move(difference));
    }
  }
  compare_evaluations(before, now, comparison.changes);
  compare_images(before, now, comparison.changes);
  if (comparison.changes.empty()) {
    throw InputError(nothing_in_common);
  }
  const auto mebibytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1048576; };
  comparison.changes.push_back({"load, seconds", before.load_seconds, now.load_seconds});
  comparison.changes.push_back({"warm-up, seconds", before.warm_up_seconds, now.warm_up_seconds});
  comparison.changes.push_back(
      {"peak memory, MiB", mebibytes(before.peak_memory_bytes), mebibytes(now.peak_memory_bytes)});
  return comparison;
}

}  // namespace srdiff
