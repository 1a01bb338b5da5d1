#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "evaluation/sweep.h"

/// What stands around a sweep's figures, so that they can be made again.
struct SweepCircumstances {
  std::string command;  ///< that made them, for a shell
  std::string machine;  ///< processor or GPU, threads, precision
  std::string version;  ///< of srdiff and LibTorch
  const srdiff::Manifest* model = nullptr;
  const srdiff::FeatureManifest* features = nullptr;  ///< null without a feature network
  const srdiff::LpipsManifest* lpips = nullptr;       ///< null where it was not measured
};

/// Markdown: a table for each figure, the published one beside the first, and the circumstances.
std::string sweep_table(const srdiff::SweepPlan& plan, const srdiff::SweepResult& result,
                        const SweepCircumstances& circumstances);

/// All of it for machines, and for scripts/plot_sweep.py.
nlohmann::ordered_json sweep_document(const srdiff::SweepPlan& plan,
                                      const srdiff::SweepResult& result,
                                      const SweepCircumstances& circumstances);
