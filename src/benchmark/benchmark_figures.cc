#include "benchmark/benchmark_figures.h"

#include <algorithm>
#include <cstddef>

#include "base/counted.h"

namespace srdiff {

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
  return count_of_images(images) + ", " + std::to_string(size) + " px, " +
         counted(nfe, "evaluation") + from;
}

std::string evaluation_label(std::int64_t batch, std::int64_t size) {
  return "batch " + std::to_string(batch) + ", " + std::to_string(size) + " px";
}

std::string count_of_images(std::int64_t images) {
  return images == 1 ? "one image" : std::to_string(images) + " images";
}

}  // namespace srdiff
