#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/feature_set.h"
#include "evaluation/kernel_distance.h"
#include "evaluation/lpips.h"
#include "evaluation/niqe.h"

namespace srdiff {

/// What can be measured. The first three compare two sets of pictures in a feature network's space,
/// the last looks at a picture alone, the others compare it with its own reference.
enum class Metric {
  fid,          ///< Fréchet distance, frechet.h
  kid,          ///< kernel_distance.h
  prdc,         ///< precision, recall, density and coverage, prdc.h
  psnr,         ///< metrics.h, as all below
  ssim,         ///<
  psnr_y,       ///< of luma without a border of 4 pixels, as the literature on photographs has it
  ssim_y,       ///< the same
  ms_ssim,      ///< pictures of 161 pixels a side and more
  sharpness,    ///<
  consistency,  ///< of the output, reduced again, with its low-resolution input
  lpips,        ///< lpips.h
  niqe,         ///< niqe.h
};

/// "fid", "kid", "prdc", "psnr", "ssim", "psnr-y", "ssim-y", "ms-ssim", "sharpness", "consistency",
/// "lpips", "niqe".
std::string to_string(Metric metric);
/// From such words, separated by commas. Throws UsageError on any other word.
std::vector<Metric> parse_metrics(const std::string& words);
/// The words that parse_metrics takes, in the order of the enumeration.
std::vector<std::string> metric_choices();
/// Whether the metric is one of these.
bool contains(const std::vector<Metric>& metrics, Metric metric);
/// Compares sets: fid, kid, prdc.
bool needs_features(Metric metric);
/// Compares a picture with its own reference: all but fid, kid, prdc and niqe.
bool needs_pairs(Metric metric);

enum class Better {
  lower,
  higher,
  near_one,
};

/// "lower", "higher", "near 1". `parse_better` throws UsageError on any other word.
std::string to_string(Better better);
Better parse_better(const std::string& word);

/// One measured value.
struct Figure {
  std::string key;     ///< for machines: the metric's word, or "precision", "recall" and so on
  std::string name;    ///< for people, with the feature network where there is one and the unit
  double value = 0.0;  ///< not a number where no picture allows the metric; PSNR may be infinite
  /// Standard deviation over KID's subsets, or over the pictures.
  std::optional<double> spread = {};
  Better better = Better::lower;
  std::string note = {};  ///< what limits it, or nothing
};

/// The values of one picture.
struct ImageFigures {
  std::string image;
  std::vector<std::pair<Metric, double>> values;
};

struct EvaluationOptions {
  std::vector<Metric> metrics;
  /// Features of each set that are kept for kid and prdc, 4·D bytes each; more pictures than these
  /// are represented by a random choice.
  std::int64_t sample_size = 10000;
  KernelDistanceOptions kid = {};
  std::shared_ptr<const NiqeModel> niqe_model = nullptr;  ///< what niqe compares with
  std::shared_ptr<const LpipsNetwork> lpips = nullptr;    ///< what lpips looks through
  int neighbours = 5;                                     ///< prdc's k
  /// fid, kid and prdc look at squares of this side, cut side by side from each picture's top left
  /// corner, what is left over dropped; 0: at whole pictures.
  std::int64_t patch = 0;
};

/// Pictures in each set below which a metric cannot be computed, or patches.
std::int64_t pictures_needed(Metric metric, const EvaluationOptions& options);

/// Where the time went.
struct EvaluationSeconds {
  double reading = 0.0;     ///< files, and their hashes
  double upscaling = 0.0;   ///< inputs made and upscaled, outputs written
  double network = 0.0;     ///< the feature network with its resizing
  double statistics = 0.0;  ///< Gaussians and distances between sets
  double comparison = 0.0;  ///< of pictures with their references
};

struct Evaluation {
  std::int64_t images = 0;      ///< outputs
  std::int64_t references = 0;  ///< 0 where the reference's number is not known
  std::vector<Figure> figures;
  EvaluationSeconds seconds;
  /// The reference as the feature network saw it, for the next evaluation against the same
  /// pictures; null without such metrics.
  std::shared_ptr<const FeatureSet> reference_set;
};

/// Takes pictures one by one and gives the figures of all of them. Memory does not grow with their
/// number, up to the features kept for kid and prdc.
///
/// Pictures are [3,H,W] float32 RGB in [−1,1] on the CPU. For a grid of settings, give each
/// setting's evaluator the `reference_set` of the first: the references go through the feature
/// network once.
class Evaluator {
 public:
  /// `network` is needed by fid, kid and prdc and must outlive the evaluator.
  /// Throws UsageError when it, niqe's model or lpips' network is missing, when `reference_set` was
  /// seen by another one or kept no features though kid or prdc need them, or when KID's subsets
  /// hold nothing.
  Evaluator(EvaluationOptions options, const FeatureNetwork* network,
            std::shared_ptr<const FeatureSet> reference_set = nullptr);

  /// References must be added: a metric of sets was asked for and no `reference_set` given.
  bool wants_references() const { return reference_collector_.has_value(); }
  /// Each throws UsageError on a picture smaller than a patch.
  void add_reference(const at::Tensor& image);
  void add_output(const at::Tensor& image);

  /// Measures an output against its reference of the same size. `input` [3,h,w] is what the output
  /// was made of, for consistency; undefined where it is not known.
  /// Throws UsageError when the sizes differ or are too small for a metric.
  ImageFigures compare(const std::string& image, const at::Tensor& reference,
                       const at::Tensor& output, const at::Tensor& input);

  /// Measures an output that has no reference: niqe.
  ImageFigures measure_alone(const std::string& image, const at::Tensor& output);

  /// Throws UsageError when a set is too small for a metric.
  Evaluation result();

 private:
  /// Mean and spread of one metric over pictures.
  struct Tally {
    Metric metric;
    std::int64_t count = 0;
    double mean = 0.0;
    double scatter = 0.0;
  };

  static void add_to(Tally& tally, double value);
  void add(FeatureCollector& collector, const at::Tensor& image) const;
  /// Nothing where the pictures do not allow the metric.
  std::optional<double> measure(Metric metric, const at::Tensor& reference,
                                const at::Tensor& output, const at::Tensor& input) const;
  std::vector<Figure> distances(const FeatureSet& reference, const FeatureSet& output) const;
  Figure summary(const Tally& tally) const;

  EvaluationOptions options_;
  std::shared_ptr<const FeatureSet> reference_set_;
  std::optional<FeatureCollector> reference_collector_;
  std::optional<FeatureCollector> output_collector_;
  std::vector<Tally> tallies_;
  std::int64_t references_ = 0;  ///< pictures added
  std::int64_t outputs_ = 0;     ///< the same
  std::int64_t compared_ = 0;
  std::int64_t measured_alone_ = 0;
  double comparison_seconds_ = 0.0;
  double distance_seconds_ = 0.0;
};

}  // namespace srdiff
