#pragma once

#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "benchmark/benchmark_figures.h"

namespace srdiff {

/// A figure of two benchmarks.
struct BenchmarkChange {
  std::string what;  ///< "evaluation, batch 1, 128 px: seconds"
  double before;
  double now;
  double ratio() const { return now / before; }
};

struct BenchmarkComparison {
  std::vector<std::string>
      differences;  ///< "threads: 2 before, 1 now": what makes ratios mean less
  std::vector<BenchmarkChange> changes;  ///< of what both measured
};

/// Before minutes of measuring: throws InputError where no batch of `options`, resolved, was
/// measured in `before` at a size of theirs.
void require_common(const Benchmark& before, const BenchmarkOptions& options);

/// Throws InputError when they measured nothing in common.
BenchmarkComparison compare_benchmarks(const Benchmark& before, const Benchmark& now);

}  // namespace srdiff
