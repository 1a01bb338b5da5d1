#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/evaluator.h"
#include "srdiff/schedule.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// What a golden file has run. A field that is empty takes its usual value.
struct GoldenSetting {
  std::string reference;  ///< folder, relative to the golden file's
  std::optional<std::int64_t> limit = {};
  std::string model;
  std::string features;  ///< empty: no metric of sets
  std::string lpips;     ///< network of lpips; empty: the usual one
  std::string metrics;   ///< as parse_metrics takes them
  std::int64_t patch = 0;
  KernelDistanceOptions kid = {};
  UpscaleOptions options;
};

/// Which way a figure may move without harm.
enum class Direction { lower, higher, exact };

struct GoldenFigure {
  std::string key;  ///< Figure::key
  double expected = 0.0;
  double tolerance = 0.0;  ///< how far beyond `expected` the measured value may lie
  bool relative = false;   ///< the tolerance is a part of `expected`
  Direction direction = Direction::exact;
};

/// A state on the way of one picture, as the means of 8×8 blocks: they see each pixel, and what
/// rounding differs by between processors and LibTorch versions cancels in them, while an error of
/// the method does not. Compared with a tolerance, not by a checksum, which would fail where a
/// value lies at the edge of its rounding.
struct GoldenStage {
  std::string image;
  std::string name;  ///< "x_sr", "W", "x_t", or "eps": ε̂ of the first evaluation
  at::Tensor means;  ///< [C,8,8] float64
};

struct Golden {
  std::string about;
  GoldenSetting setting;
  /// What the expected values were made with: versions, machine, and under "fingerprint" the
  /// feature network's, under "lpips fingerprint" that of lpips' network.
  std::map<std::string, std::string> made_with;
  std::int64_t stage_images = 0;  ///< the first pictures, whose stages are compared
  std::map<std::string, double> stage_tolerances;  ///< by stage, for the largest difference
  std::vector<GoldenStage> stages;                 ///< in the order of the method
  std::vector<GoldenFigure> figures;
};

/// Throws InputError "PATH: reason" naming the field at fault.
Golden read_golden(const std::filesystem::path& path);

/// The same content gives the same bytes. Throws InputError.
void write_golden(const std::filesystem::path& path, const Golden& golden);

/// Takes the stages of the first pictures from the upscaler's states.
class StageRecorder {
 public:
  /// Keeps the schedule, so that a temporary one may be given.
  StageRecorder(Schedule schedule, std::int64_t images)
      : schedule_(std::move(schedule)), images_(images) {}

  /// For FolderEvaluationObserver::on_state.
  void add(const std::string& image, const UpscaleState& state);
  const std::vector<GoldenStage>& stages() const { return stages_; }

 private:
  Schedule schedule_;
  std::int64_t images_;
  std::map<std::string, at::Tensor> x_t_;  // by image; undefined until it is known
  std::vector<GoldenStage> stages_;
};

/// One line of the comparison.
struct Verdict {
  std::string what;
  std::string expected;
  std::string measured;
  std::string allowed;
  bool passed = false;
};

/// Compares the stages, then the figures. A golden figure whose metric was not measured, and a
/// stage that is missing, are missed.
std::vector<Verdict> verdicts_on(const Golden& golden, const std::vector<GoldenStage>& stages,
                                 const std::vector<Figure>& figures);

/// The golden file with what was measured now. Tolerances and directions stay; a figure that is new
/// gets ones that suit its metric.
Golden updated_golden(Golden golden, const std::vector<GoldenStage>& stages,
                      const std::vector<Figure>& figures);

}  // namespace srdiff
