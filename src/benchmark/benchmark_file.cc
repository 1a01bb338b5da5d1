#include "benchmark/benchmark_file.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/file_io.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

/// The version of a benchmark's file. It is raised when what is measured changes.
constexpr int format = 1;

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

/// The circumstances in the order of the file, which JsonFields does not keep.
std::vector<std::pair<std::string, std::string>> read_circumstances(const ordered_json& document) {
  std::vector<std::pair<std::string, std::string>> circumstances;
  for (const auto& [key, value] : document.at("circumstances").items()) {
    circumstances.emplace_back(key, value.get<std::string>());
  }
  return circumstances;
}

Benchmark read_document(const ordered_json& document, const std::string& name) {
  const JsonFields fields(json(document), name);
  fields.expect("format", format);
  fields.object("circumstances");  // says what is wrong where it is none
  Benchmark benchmark;
  benchmark.circumstances = read_circumstances(document);
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

}  // namespace

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
  const std::string text = read_file(path, max_json_bytes);
  try {
    return read_document(parse_json<ordered_json>(text), path.string());
  } catch (const json::exception&) {
    throw InputError(path.string() + ": is no result of srdiff bench",
                     ErrorCode::benchmark_unreadable);
  } catch (const UsageError& error) {
    throw InputError(path.string() + ": " + error.what());
  } catch (const ModelError& error) {
    throw InputError(error.what(), ErrorCode::benchmark_field_wrong);
  }
}

}  // namespace srdiff
