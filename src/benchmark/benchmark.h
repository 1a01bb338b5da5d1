#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "benchmark/benchmark_figures.h"
#include "srdiff/manifest.h"
#include "srdiff/upscaler.h"

namespace srdiff {

struct BenchmarkOptions {
  std::vector<std::int64_t> batches = {1, 8};
  std::vector<std::int64_t> sizes = {};  ///< output sides in pixels; empty: the model's native one
  int repeats = 5;
  /// How images are made; empty: as the model recommends, from noise when it has no regressor.
  std::optional<UpscaleSettings> settings = {};
  NetworkTrust trust = NetworkTrust::checked;
};

struct BenchmarkObserver {
  std::function<void(const std::string& what)> on_start;  ///< of each part
  std::function<bool()> cancelled;                        ///< asked between calls
};

/// Fills in the sizes. Throws UsageError for a batch, a size or repeats that cannot be measured.
BenchmarkOptions resolve_benchmark(BenchmarkOptions options, const Manifest& manifest);

/// Loads the model and measures it. Each repeat times the evaluation and then each of its products
/// in each layout, so that what else the machine does slows both.
/// Throws UsageError, ModelError, Cancelled.
Benchmark run_benchmark(const std::filesystem::path& folder, const Manifest& manifest,
                        c10::Device device, c10::ScalarType precision,
                        const BenchmarkOptions& options, const BenchmarkObserver& observer = {});

}  // namespace srdiff
