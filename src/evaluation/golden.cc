#include "evaluation/golden.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/enum_words.h"
#include "base/file_io.h"
#include "base/json_text.h"
#include "base/text_escape.h"
#include "pipeline/settings_json.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

/// Blocks a side.
constexpr std::int64_t blocks = 8;

constexpr EnumWords<Direction, 3> direction_words = {
    "the direction",
    {{{Direction::lower, "lower"}, {Direction::higher, "higher"}, {Direction::exact, "exact"}}}};

/// Between LibTorch 1.13 and 2.11, and between AVX2 and plain code, rounding moved a block by 4e-7
/// at most; a t that is off by one moved one of x_t by 4e-4 or more, of ε̂ by 1.3e-4.
const std::map<std::string, double> usual_stage_tolerances = {
    {"x_sr", 1e-5}, {"W", 1e-5}, {"x_t", 1e-5}, {"eps", 2e-5}};

/// The tolerance of a figure that a golden file names for the first time.
GoldenFigure usual_figure(const Figure& figure) {
  GoldenFigure golden;
  golden.key = figure.key;
  golden.direction = figure.better == Better::lower    ? Direction::lower
                     : figure.better == Better::higher ? Direction::higher
                                                       : Direction::exact;
  static const std::map<std::string, double> absolute = {
      {"psnr", 0.02}, {"ssim", 0.001}, {"ms-ssim", 0.001}, {"lpips", 0.001}, {"kid", 0.001}};
  const auto found = absolute.find(figure.key);
  golden.relative = found == absolute.end();
  golden.tolerance = golden.relative ? 0.01 : found->second;
  return golden;
}

GoldenSetting read_setting(const JsonFields& fields) {
  GoldenSetting setting;
  setting.reference = utf8_to_name(fields.required<std::string>("reference"));
  fields.override("limit", setting.limit);
  setting.model = fields.required<std::string>("model");
  setting.features = fields.optional<std::string>("features", "");
  setting.lpips = fields.optional<std::string>("lpips", "");
  setting.metrics = fields.required<std::string>("metrics");
  fields.override("patch", setting.patch);
  fields.override("kid_subsets", setting.kid.subsets);
  fields.override("kid_subset_size", setting.kid.subset_size);
  override_options(fields, setting.options,
                   {"reference", "limit", "model", "features", "lpips", "metrics", "patch",
                    "kid_subsets", "kid_subset_size"});
  return setting;
}

ordered_json to_json(const GoldenSetting& setting) {
  ordered_json document = {{"reference", name_to_utf8(setting.reference)}};
  if (setting.limit) {
    document["limit"] = *setting.limit;
  }
  document["model"] = setting.model;
  if (!setting.features.empty()) {
    document["features"] = setting.features;
  }
  if (!setting.lpips.empty()) {
    document["lpips"] = setting.lpips;
  }
  document["metrics"] = setting.metrics;
  const GoldenSetting usual;
  const auto put = [&document](const char* key, std::int64_t value, std::int64_t usual_value) {
    if (value != usual_value) {
      document[key] = value;
    }
  };
  put("patch", setting.patch, usual.patch);
  put("kid_subsets", setting.kid.subsets, usual.kid.subsets);
  put("kid_subset_size", setting.kid.subset_size, usual.kid.subset_size);
  document.update(options_json(setting.options));
  return document;
}

/// A line of text a row of blocks.
std::vector<std::string> to_rows(const at::Tensor& means) {
  const at::Tensor rows = means.reshape({-1, blocks}).contiguous();
  std::vector<std::string> lines;
  const auto* value = rows.data_ptr<double>();
  for (std::int64_t row = 0; row < rows.size(0); ++row) {
    std::string line;
    for (std::int64_t i = 0; i < blocks; ++i) {
      line += fmt::format("{}{:.6f}", i == 0 ? "" : " ", *value++);
    }
    lines.push_back(line);
  }
  return lines;
}

at::Tensor from_rows(const std::vector<std::string>& lines) {
  std::vector<double> values;
  for (const std::string& line : lines) {
    std::istringstream numbers(line);
    for (double value = 0.0; numbers >> value;) {
      values.push_back(value);
    }
    if (!numbers.eof()) {
      throw UsageError("stages: block_means: '" + line + "' is no row of numbers");
    }
  }
  const auto count = static_cast<std::int64_t>(values.size());
  if (count == 0 || count % (blocks * blocks) != 0) {
    throw UsageError("stages: block_means hold " + std::to_string(count) +
                     " numbers, not 64 a channel");
  }
  return at::tensor(values, at::kDouble).reshape({-1, blocks, blocks});
}

void read_stages(const JsonFields& fields, Golden& golden) {
  fields.allow({"images", "tolerance", "block_means"});
  golden.stage_images = fields.in_range<std::int64_t>("images", 0, 1000);
  golden.stage_tolerances = usual_stage_tolerances;
  const std::map<std::string, double> none;
  for (const auto& [name, tolerance] : fields.optional("tolerance", none)) {
    if (usual_stage_tolerances.count(name) == 0 || !(tolerance >= 0.0)) {
      throw UsageError("stages: tolerance: '" + name + "' is no x_sr, W, x_t or eps of 0 or more");
    }
    golden.stage_tolerances[name] = tolerance;
  }
  for (const auto& entry : fields.optional("block_means", json::array())) {
    const JsonFields stage(entry, "stages: block_means");
    stage.allow({"image", "stage", "rows"});
    golden.stages.push_back({stage.required<std::string>("image"),
                             stage.required<std::string>("stage"),
                             from_rows(stage.required<std::vector<std::string>>("rows"))});
  }
}

Golden parse_golden(const json& document) {
  const JsonFields root(document, "golden figures");
  root.expect<int>("format", 1);
  root.allow({"format", "about", "setting", "made_with", "figures", "stages"});
  Golden golden;
  golden.about = root.optional<std::string>("about", "");
  golden.setting = read_setting(root.object("setting"));
  golden.made_with = root.optional("made_with", std::map<std::string, std::string>());
  read_stages(root.object("stages"), golden);
  const json figures = root.optional("figures", json::object());
  for (const auto& [key, value] : figures.items()) {
    const JsonFields fields(value, "figures: " + key);
    fields.allow({"expected", "tolerance", "relative", "direction"});
    golden.figures.push_back({key, fields.required<double>("expected"),
                              fields.in_range<double>("tolerance", 0.0, 1e9),
                              fields.optional("relative", false),
                              direction_words.parse(fields.required<std::string>("direction"))});
  }
  return golden;
}

ordered_json to_json(const Golden& golden) {
  ordered_json document = {{"format", 1}, {"about", golden.about}};
  document["setting"] = to_json(golden.setting);
  document["made_with"] = golden.made_with;
  ordered_json figures = ordered_json::object();
  for (const GoldenFigure& figure : golden.figures) {
    figures[figure.key] = {{"expected", figure.expected},
                           {"tolerance", figure.tolerance},
                           {"relative", figure.relative},
                           {"direction", direction_words.word(figure.direction)}};
  }
  document["figures"] = figures;
  ordered_json stages = ordered_json::array();
  for (const GoldenStage& stage : golden.stages) {
    stages.push_back(
        {{"image", stage.image}, {"stage", stage.name}, {"rows", to_rows(stage.means)}});
  }
  document["stages"] = {{"images", golden.stage_images},
                        {"tolerance", golden.stage_tolerances},
                        {"block_means", stages}};
  return document;
}

const GoldenStage* find(const std::vector<GoldenStage>& stages, const GoldenStage& like) {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const GoldenStage& stage) {
    return stage.image == like.image && stage.name == like.name;
  });
  return found == stages.end() ? nullptr : &*found;
}

Verdict judge_stage(const GoldenStage& expected, const GoldenStage* measured, double tolerance) {
  Verdict verdict{expected.name + " of " + expected.image, "8x8 block means", "missing",
                  fmt::format("off by {:g}", tolerance), false};
  if (measured == nullptr || measured->means.sizes() != expected.means.sizes()) {
    return verdict;
  }
  const auto off = (measured->means - expected.means).abs().max().item<double>();
  verdict.measured = fmt::format("off by {:.2g}", off);
  verdict.passed = off <= tolerance;  // not so for a NaN
  return verdict;
}

Verdict judge_figure(const GoldenFigure& golden, const std::vector<Figure>& figures) {
  const auto found = std::find_if(figures.begin(), figures.end(),
                                  [&](const Figure& figure) { return figure.key == golden.key; });
  const double slack = golden.tolerance * (golden.relative ? std::abs(golden.expected) : 1.0);
  const double low = golden.expected - slack;
  const double high = golden.expected + slack;
  Verdict verdict{golden.key, fmt::format("{:g}", golden.expected), "not measured", "", false};
  switch (golden.direction) {
    case Direction::lower:
      verdict.allowed = fmt::format("<= {:g}", high);
      break;
    case Direction::higher:
      verdict.allowed = fmt::format(">= {:g}", low);
      break;
    case Direction::exact:
      verdict.allowed = fmt::format("{:g} to {:g}", low, high);
  }
  if (found != figures.end()) {
    const double value = found->value;
    verdict.what = found->name;
    verdict.measured = fmt::format("{:g}", value);
    verdict.passed = (golden.direction == Direction::lower || value >= low) &&
                     (golden.direction == Direction::higher || value <= high);
  }
  return verdict;
}

}  // namespace

Golden read_golden(const fs::path& path) {
  const std::string bytes = read_file(path, max_json_bytes);
  try {
    return parse_golden(parse_json(bytes));
  } catch (const json::exception&) {
    throw InputError(path.string() + ": is not valid JSON");
  } catch (const Error& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

void write_golden(const fs::path& path, const Golden& golden) {
  write_file_atomically(path, to_json(golden).dump(2) + "\n");
}

void StageRecorder::add(const std::string& image, const UpscaleState& state) {
  const bool known = x_t_.count(image) > 0;
  const bool later = state.kind == UpscaleState::Kind::x0 && state.evaluation > 1;
  if (later || (!known && static_cast<std::int64_t>(x_t_.size()) == images_)) {
    return;
  }
  at::Tensor& x_t = x_t_[image];
  const auto record = [&](const char* name, const at::Tensor& value) {
    const at::Tensor means = at::adaptive_avg_pool2d(value.to(at::kDouble), {blocks, blocks});
    stages_.push_back({name_to_utf8(image), name, means.squeeze(0)});
  };
  switch (state.kind) {
    case UpscaleState::Kind::x_sr:
      return record("x_sr", state.value);
    case UpscaleState::Kind::weight_map:
      return record("W", state.value);
    case UpscaleState::Kind::mask:  // an evaluation has none
      return;
    case UpscaleState::Kind::x_t:
      x_t = state.value;
      return record("x_t", state.value);
    case UpscaleState::Kind::x0:
      // ε̂ as the sampler goes on with it: from the clipped x̂_0.
      return record(
          "eps", (x_t - state.value * schedule_.noise_level(state.t)) / schedule_.sigma(state.t));
  }
}

std::vector<Verdict> verdicts_on(const Golden& golden, const std::vector<GoldenStage>& stages,
                                 const std::vector<Figure>& figures) {
  std::vector<Verdict> verdicts;
  for (const GoldenStage& stage : golden.stages) {
    const auto tolerance = golden.stage_tolerances.find(stage.name);
    verdicts.push_back(
        judge_stage(stage, find(stages, stage),
                    tolerance == golden.stage_tolerances.end() ? 0.0 : tolerance->second));
  }
  for (const GoldenFigure& figure : golden.figures) {
    verdicts.push_back(judge_figure(figure, figures));
  }
  return verdicts;
}

Golden updated_golden(Golden golden, const std::vector<GoldenStage>& stages,
                      const std::vector<Figure>& figures) {
  golden.stages = stages;
  std::vector<GoldenFigure> known;
  known.swap(golden.figures);
  for (const Figure& figure : figures) {
    if (!std::isfinite(figure.value)) {
      continue;
    }
    const auto old = std::find_if(known.begin(), known.end(), [&](const GoldenFigure& entry) {
      return entry.key == figure.key;
    });
    GoldenFigure entry = old == known.end() ? usual_figure(figure) : *old;
    entry.expected = std::stod(fmt::format("{:.6g}", figure.value));
    golden.figures.push_back(entry);
  }
  return golden;
}

}  // namespace srdiff
