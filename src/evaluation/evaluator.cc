#include "evaluation/evaluator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "base/counted.h"
#include "base/enum_words.h"
#include "base/scoped_timer.h"
#include "evaluation/metrics.h"
#include "evaluation/prdc.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr EnumWords<Metric, 12> metric_words = {"the metric",
                                                {{{Metric::fid, "fid"},
                                                  {Metric::kid, "kid"},
                                                  {Metric::prdc, "prdc"},
                                                  {Metric::psnr, "psnr"},
                                                  {Metric::ssim, "ssim"},
                                                  {Metric::psnr_y, "psnr-y"},
                                                  {Metric::ssim_y, "ssim-y"},
                                                  {Metric::ms_ssim, "ms-ssim"},
                                                  {Metric::sharpness, "sharpness"},
                                                  {Metric::consistency, "consistency"},
                                                  {Metric::lpips, "lpips"},
                                                  {Metric::niqe, "niqe"}}}};

constexpr EnumWords<Better, 3> better_words = {
    "the direction",
    {{{Better::lower, "lower"}, {Better::higher, "higher"}, {Better::near_one, "near 1"}}}};

/// SR3 lists consistency × 10⁵.
constexpr double consistency_unit = 1e5;

bool wants(const EvaluationOptions& options, Metric metric) {
  return contains(options.metrics, metric);
}

bool wants_sample(const EvaluationOptions& options) {
  return wants(options, Metric::kid) || wants(options, Metric::prdc);
}

std::string title(Metric metric) {
  switch (metric) {
    case Metric::psnr:
      return "PSNR (dB)";
    case Metric::ssim:
      return "SSIM";
    case Metric::psnr_y:
      return "PSNR-Y (dB)";
    case Metric::ssim_y:
      return "SSIM-Y";
    case Metric::ms_ssim:
      return "MS-SSIM";
    case Metric::sharpness:
      return "sharpness (1 as the reference)";
    case Metric::consistency:
      return "consistency (MSE x 10^5)";
    case Metric::niqe:
      return "NIQE";
    default:
      return to_string(metric);
  }
}

Better better_direction(Metric metric) {
  switch (metric) {
    case Metric::consistency:
    case Metric::lpips:
    case Metric::niqe:
      return Better::lower;
    case Metric::sharpness:
      return Better::near_one;
    default:
      return Better::higher;
  }
}

/// What the literature measures photographs on: luma, without the pixels that see beyond the edge.
at::Tensor inner_luma(const at::Tensor& image) {
  constexpr std::int64_t border = 4;
  return crop_border(luma(image), border);
}

/// Why a metric has no value for some pictures.
std::string gap(Metric metric, std::int64_t without) {
  const std::string pictures = std::to_string(without) + " pictures ";
  return metric == Metric::ms_ssim
             ? pictures + "left out: below " + std::to_string(ms_ssim_min_side) + " pixels a side"
         : metric == Metric::sharpness ? pictures + "left out: their references are flat"
         : metric == Metric::niqe      ? pictures + "left out: flat, or smaller than 96x192 pixels"
                                       : pictures + "left out: their inputs are not known";
}

/// The note on a Fréchet distance over few pictures.
std::string few_images_note(const Gaussian& reference, const Gaussian& output) {
  const std::int64_t dimensions = output.mean.numel();
  std::int64_t fewest = output.count;
  if (reference.count > 0) {
    fewest = std::min(fewest, reference.count);
  }
  if (fewest >= dimensions) {
    return "";
  }
  return std::to_string(fewest) + " samples are fewer than " + std::to_string(dimensions) +
         " features: biased upwards, compare only with figures of as many";
}

}  // namespace

std::string to_string(Metric metric) {
  return metric_words.word(metric);
}

std::string to_string(Better better) {
  return better_words.word(better);
}

Better parse_better(const std::string& word) {
  return better_words.parse(word);
}

bool contains(const std::vector<Metric>& metrics, Metric metric) {
  return std::find(metrics.begin(), metrics.end(), metric) != metrics.end();
}

std::vector<Metric> parse_metrics(const std::string& words) {
  std::vector<Metric> metrics;
  std::istringstream list(words);
  for (std::string word; std::getline(list, word, ',');) {
    const Metric metric = metric_words.parse(word);
    if (!contains(metrics, metric)) {
      metrics.push_back(metric);
    }
  }
  return metrics;
}

std::vector<std::string> metric_choices() {
  return metric_words.all();
}

bool needs_features(Metric metric) {
  return metric == Metric::fid || metric == Metric::kid || metric == Metric::prdc;
}

bool needs_pairs(Metric metric) {
  return !needs_features(metric) && metric != Metric::niqe;
}

std::int64_t pictures_needed(Metric metric, const EvaluationOptions& options) {
  return metric == Metric::prdc ? options.neighbours + 1 : needs_features(metric) ? 2 : 1;
}

Evaluator::Evaluator(EvaluationOptions options, const FeatureNetwork* network,
                     std::shared_ptr<const FeatureSet> reference_set)
    : options_(std::move(options)) {
  if (options_.patch < 0) {
    throw UsageError("patch = " + std::to_string(options_.patch) +
                     "; give 1 or more, or 0 for none");
  }
  for (const Metric metric : options_.metrics) {
    if (!needs_features(metric)) {
      tallies_.push_back({metric});
    }
  }
  if (wants(options_, Metric::niqe) && !options_.niqe_model) {
    throw UsageError("niqe needs its parameters (scripts/get_niqe.sh)");
  }
  if (wants(options_, Metric::lpips) && !options_.lpips) {
    throw UsageError("lpips needs its network (scripts/export_lpips.py)");
  }
  if (tallies_.size() == options_.metrics.size()) {
    return;
  }
  check_subsets(options_.kid);
  if (network == nullptr) {
    throw UsageError("fid, kid and prdc need a feature network", ErrorCode::feature_network_needed);
  }
  const std::int64_t sample_size = wants_sample(options_) ? options_.sample_size : 0;
  output_collector_.emplace(*network, sample_size);
  if (!reference_set) {
    reference_collector_.emplace(*network, sample_size);
    return;
  }
  if (reference_set->fingerprint != fingerprint(network->manifest())) {
    throw UsageError("the reference's features are of " + reference_set->network + ", not of " +
                     network->manifest().name + ", or after other preprocessing");
  }
  if (sample_size > 0 && !reference_set->sample.defined()) {
    throw UsageError("kid and prdc need the features of the reference's pictures themselves");
  }
  reference_set_ = std::move(reference_set);
}

void Evaluator::add_reference(const at::Tensor& image) {
  ++references_;
  if (reference_collector_) {
    add(*reference_collector_, image);
  }
}

void Evaluator::add_output(const at::Tensor& image) {
  ++outputs_;
  if (output_collector_) {
    add(*output_collector_, image);
  }
}

void Evaluator::add(FeatureCollector& collector, const at::Tensor& image) const {
  const std::int64_t side = options_.patch;
  if (side == 0) {
    collector.add(image);
    return;
  }
  if (std::min(image.size(1), image.size(2)) < side) {
    throw UsageError("a picture of " + std::to_string(image.size(2)) + "x" +
                     std::to_string(image.size(1)) + " pixels has no patch of " +
                     std::to_string(side));
  }
  for (std::int64_t y = 0; y + side <= image.size(1); y += side) {
    for (std::int64_t x = 0; x + side <= image.size(2); x += side) {
      collector.add(image.slice(1, y, y + side).slice(2, x, x + side).contiguous());
    }
  }
}

std::optional<double> Evaluator::measure(Metric metric, const at::Tensor& reference,
                                         const at::Tensor& output, const at::Tensor& input) const {
  switch (metric) {
    case Metric::psnr:
      return psnr(reference, output).item<double>();
    case Metric::ssim:
      return ssim(reference, output).item<double>();
    case Metric::psnr_y:
      return psnr(inner_luma(reference), inner_luma(output)).item<double>();
    case Metric::ssim_y:
      return ssim(inner_luma(reference), inner_luma(output)).item<double>();
    case Metric::ms_ssim: {
      const auto value = ms_ssim(reference, output);
      return value ? std::optional<double>(value->item<double>()) : std::nullopt;
    }
    case Metric::sharpness: {
      const auto value = sharpness(reference, output).item<double>();
      return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
    }
    case Metric::consistency:
      return input.defined()
                 ? std::optional<double>(consistency(output, input.unsqueeze(0)).item<double>() *
                                         consistency_unit)
                 : std::nullopt;
    case Metric::lpips:
      return (*options_.lpips)(reference, output).item<double>();
    case Metric::niqe:
      return niqe(output[0], *options_.niqe_model);
    default:
      return std::nullopt;
  }
}

void Evaluator::add_to(Tally& tally, double value) {
  ++tally.count;
  if (std::isinf(value) || std::isinf(tally.mean)) {  // its distance from a mean is no number
    tally.mean += value;
    return;
  }
  const double distance = value - tally.mean;
  tally.mean += distance / static_cast<double>(tally.count);
  tally.scatter += distance * (value - tally.mean);
}

ImageFigures Evaluator::compare(const std::string& image, const at::Tensor& reference,
                                const at::Tensor& output, const at::Tensor& input) {
  const ScopedTimer timer(comparison_seconds_);
  ImageFigures figures{image, {}};
  for (Tally& tally : tallies_) {
    const std::optional<double> value =
        measure(tally.metric, reference.unsqueeze(0), output.unsqueeze(0), input);
    if (value) {
      figures.values.emplace_back(tally.metric, *value);
      add_to(tally, *value);
    }
  }
  ++compared_;
  return figures;
}

ImageFigures Evaluator::measure_alone(const std::string& image, const at::Tensor& output) {
  const ScopedTimer timer(comparison_seconds_);
  ImageFigures figures{image, {}};
  for (Tally& tally : tallies_) {
    if (needs_pairs(tally.metric)) {
      continue;
    }
    const std::optional<double> value = measure(tally.metric, {}, output.unsqueeze(0), {});
    if (value) {
      figures.values.emplace_back(tally.metric, *value);
      add_to(tally, *value);
    }
  }
  ++measured_alone_;
  return figures;
}

std::vector<Figure> Evaluator::distances(const FeatureSet& reference,
                                         const FeatureSet& output) const {
  std::vector<Figure> figures;
  const std::string network = " (" + output.network + ")";
  if (wants(options_, Metric::fid)) {
    figures.push_back({"fid", frechet_distance_name(output.network),
                       frechet_distance(reference.gaussian, output.gaussian), std::nullopt,
                       Better::lower, few_images_note(reference.gaussian, output.gaussian)});
  }
  if (wants(options_, Metric::kid)) {
    const KernelDistance kid = kernel_distance(reference.sample, output.sample, options_.kid);
    const bool whole = kid.subset_size == std::max(reference.sample.size(0), output.sample.size(0));
    const std::string subsets = counted(kid.subsets, "subset");
    const std::string images = std::to_string(kid.subset_size) + " images";
    figures.push_back({"kid", "KID" + network, kid.mean,
                       kid.subsets > 1 ? std::optional(kid.spread) : std::nullopt, Better::lower,
                       whole ? "all " + images + " at once" : subsets + " of " + images});
  }
  if (wants(options_, Metric::prdc)) {
    const Prdc parts = prdc(reference.sample, output.sample, options_.neighbours);
    const std::string note = "k = " + std::to_string(options_.neighbours);
    const auto add = [&](const char* word, double value) {
      figures.push_back({word, word + network, value, std::nullopt, Better::higher, note});
    };
    add("precision", parts.precision);
    add("recall", parts.recall);
    add("density", parts.density);
    add("coverage", parts.coverage);
  }
  return figures;
}

Figure Evaluator::summary(const Tally& tally) const {
  Figure figure{to_string(tally.metric), title(tally.metric), tally.mean};
  if (tally.metric == Metric::lpips) {
    figure.name = "LPIPS (" + options_.lpips->manifest().name + ")";
  }
  figure.better = better_direction(tally.metric);
  if (tally.count == 0) {
    figure.value = std::numeric_limits<double>::quiet_NaN();
  } else if (std::isinf(tally.mean)) {
    figure.note = "infinite: a picture equals its reference";
  } else {
    figure.spread = std::sqrt(tally.scatter / static_cast<double>(tally.count));
  }
  const std::int64_t seen = needs_pairs(tally.metric) ? compared_ : compared_ + measured_alone_;
  if (tally.count < seen) {
    figure.note = gap(tally.metric, seen - tally.count);
  }
  return figure;
}

Evaluation Evaluator::result() {
  Evaluation evaluation;
  evaluation.images = std::max(outputs_, compared_);
  evaluation.references = std::max(references_, compared_);
  if (output_collector_) {
    if (reference_collector_) {
      reference_set_ = std::make_shared<const FeatureSet>(reference_collector_->result());
    }
    const FeatureSet output = output_collector_->result();
    const ScopedTimer timer(distance_seconds_);
    evaluation.figures = distances(*reference_set_, output);
    if (!reference_collector_ && options_.patch == 0) {
      evaluation.references = reference_set_->gaussian.count;
    }
    evaluation.reference_set = reference_set_;
  }
  for (const Tally& tally : tallies_) {
    evaluation.figures.push_back(summary(tally));
  }
  evaluation.seconds.comparison = comparison_seconds_;
  evaluation.seconds.statistics = distance_seconds_;
  for (const auto* collector : {&reference_collector_, &output_collector_}) {
    if (*collector) {
      evaluation.seconds.network += (*collector)->network_seconds();
      evaluation.seconds.statistics += (*collector)->statistics_seconds();
    }
  }
  return evaluation;
}

}  // namespace srdiff
