#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

#include "evaluation/folder_run.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// Reduces the references of a run, upscales them, and measures the results.
class ModelRun {
 public:
  /// All must outlive it. `save` is the folder that keeps the results; empty: none.
  ModelRun(FolderRun& run, const Upscaler& upscaler, const UpscaleSettings& settings,
           const std::filesystem::path& save, const FolderEvaluationObserver& observer)
      : run_(run), upscaler_(upscaler), settings_(settings), save_(save), observer_(observer) {}

  void operator()();

 private:
  /// References of one size that go through the upscaler together.
  struct Chunk {
    std::vector<std::filesystem::path> files;
    std::vector<at::Tensor> references;
    std::vector<at::Tensor> inputs;
    std::optional<UpscalePlan> plan = {};
  };

  void finish(Chunk& chunk);
  at::Tensor upscale(const Chunk& chunk);
  void show(const Chunk& chunk, const UpscaleState& state) const;

  FolderRun& run_;
  const Upscaler& upscaler_;
  const UpscaleSettings& settings_;
  const std::filesystem::path& save_;
  const FolderEvaluationObserver& observer_;
  std::size_t done_ = 0;
};

}  // namespace srdiff
