#pragma once

#include <filesystem>
#include <string>

#include "benchmark/benchmark_figures.h"

namespace srdiff {

/// JSON, one document.
std::string benchmark_json(const Benchmark& benchmark);
/// Reads benchmark_json's file. Throws InputError when it is not one.
Benchmark read_benchmark(const std::filesystem::path& path);

}  // namespace srdiff
