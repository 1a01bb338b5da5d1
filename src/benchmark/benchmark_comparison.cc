#include "benchmark/benchmark_comparison.h"

#include <algorithm>
#include <map>
#include <utility>

#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr const char* nothing_in_common =
    "the two benchmarks have no batch and size in common; give the same lists";

void compare_evaluations(const Benchmark& before, const Benchmark& now,
                         std::vector<BenchmarkChange>& changes) {
  for (const EvaluationBenchmark& old : before.evaluations) {
    for (const EvaluationBenchmark& current : now.evaluations) {
      if (old.batch != current.batch || old.size != current.size) {
        continue;
      }
      const std::string what = "evaluation, " + evaluation_label(old.batch, old.size) + ": ";
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

BenchmarkComparison compare_benchmarks(const Benchmark& before, const Benchmark& now) {
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
