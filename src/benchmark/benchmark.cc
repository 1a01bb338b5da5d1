#include "benchmark/benchmark.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>

#include "base/cancellation.h"
#include "benchmark/layer_products.h"
#include "engine/backend.h"
#include "engine/cpu/activation_pool.h"
#include "engine/cpu/blas_threads.h"
#include "srdiff/device.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

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

EvaluationBenchmark measure_evaluation(const Model& model, const EvaluationBenchmark& measured,
                                       const DeviceClock& clock, int repeats) {
  EvaluationBenchmark result = measured;
  clock.tell("evaluation and floor, " + evaluation_label(result.batch, result.size));
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

}  // namespace

BenchmarkOptions resolve_benchmark(BenchmarkOptions options, const Manifest& manifest) {
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
  const BenchmarkOptions options = resolve_benchmark(wanted, manifest);
  const c10::InferenceMode no_gradients;
  const DeviceClock clock(device, observer);
  Benchmark result;
  result.circumstances = circumstances_of(manifest, device, precision);
  result.repeats = options.repeats;

  clock.tell("loading");
  std::optional<Model> model;
  result.load_seconds = clock.seconds(
      [&] { model = Model::load(folder, manifest, device, precision, {}, options.trust); });
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

}  // namespace srdiff
