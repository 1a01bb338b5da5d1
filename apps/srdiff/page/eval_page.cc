#include "page/eval_page.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "evaluation/reference_pictures.h"
#include "page/html_page.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace {

namespace fs = std::filesystem;
using srdiff::Metric;

std::unordered_map<std::string, std::string> files_by_stem(const std::string& folder) {
  std::unordered_map<std::string, std::string> files;
  for (const fs::path& file : srdiff::list_pictures(folder)) {
    files.emplace(file.stem().string(), file.string());
  }
  return files;
}

std::optional<double> value_of(const srdiff::ImageFigures& figures, Metric metric) {
  for (const auto& [measured, value] : figures.values) {
    if (measured == metric) {
      return value;
    }
  }
  return std::nullopt;
}

std::string summary_value(const srdiff::Figure& figure) {
  const std::string value =
      std::isnan(figure.value) ? "\u2013" : fmt::format("{:.4g}", figure.value);
  return figure.spread ? fmt::format("{} \u00b1 {:.2g}", value, *figure.spread) : value;
}

}  // namespace

EvalPage::EvalPage(const EvalArgs& args, const std::vector<Metric>& metrics,
                   std::optional<int> scale)
    : args_(args), scale_(scale) {
  std::copy_if(metrics.begin(), metrics.end(), std::back_inserter(metrics_),
               [](Metric metric) { return !srdiff::needs_features(metric); });
  if (!args.reference.empty()) {
    references_ = files_by_stem(args.reference);
  }
}

std::string EvalPage::small_picture(const std::string& reference) {
  // Small enough to be embedded, and no more of them than a browser reads at once.
  constexpr std::int64_t longest_side = 128;
  constexpr std::size_t most_bytes = std::size_t{32} << 20;
  if (!scale_ || reference.empty() || embedded_bytes_ > most_bytes) {
    return {};
  }
  srdiff::DecodeLimits limits;
  limits.max_pixels_per_byte = args_.max_ratio;
  srdiff::PictureFile file = srdiff::open_picture(reference, limits);
  const srdiff::DeclaredSize size = file.size();
  if (std::max(size.width, size.height) > longest_side * *scale_) {
    return {};
  }
  srdiff::Image small;
  small.rgb = srdiff::reduce_reference(file.decode(limits).rgb, *scale_, reference);
  std::string address =
      embedded_picture(srdiff::encode_image(small, ".png", reference), "image/png");
  embedded_bytes_ += address.size();
  return address;
}

void EvalPage::add(const srdiff::ImageFigures& figures) {
  const auto reference = references_.find(figures.image);
  figures_.push_back(figures);
  small_.push_back(reference == references_.end() ? "" : small_picture(reference->second));
}

void EvalPage::write(const EvalRun& run) {
  const std::string folder = args_.output.empty() ? args_.save : args_.output;
  const auto outputs = files_by_stem(folder);
  Page page;
  page.title = run.method ? run.method->manifest.name + " against " + args_.reference
                          : folder + (args_.reference.empty() ? "" : " against " + args_.reference);
  if (run.method) {
    page.lines.push_back(settings_line(
        srdiff::made_by(run.method->manifest, run.method->settings, run.method->precision)));
  }
  page.summary.emplace_back("pictures", std::to_string(figures_.size()));
  for (const srdiff::Figure& figure : run.evaluation.figures) {
    page.summary.emplace_back(figure.name, summary_value(figure));
    const auto same = [&](Metric metric) { return to_string(metric) == figure.key; };
    if (std::any_of(metrics_.begin(), metrics_.end(), same)) {
      page.figures.push_back({figure.name, to_string(figure.better)});
    }
  }
  for (std::size_t i = 0; i < figures_.size(); ++i) {
    PagePicture picture;
    const auto output = outputs.find(figures_[i].image);
    const auto reference = references_.find(figures_[i].image);
    picture.name = figures_[i].image;
    picture.before = std::move(small_[i]);
    if (output != outputs.end()) {
      picture.after = page_address(output->second, args_.html);
    }
    if (reference != references_.end()) {
      picture.truth = page_address(reference->second, args_.html);
    }
    for (const Metric metric : metrics_) {
      picture.values.push_back(value_of(figures_[i], metric));
    }
    page.pictures.push_back(std::move(picture));
  }
  write_page(args_.html, page);
}

void check_eval_page(const EvalArgs& args, const std::vector<Metric>& metrics) {
  check_page_file(args.html, false);
  if (args.output.empty() && args.save.empty()) {
    throw srdiff::UsageError("--html shows the pictures that --save keeps; name a folder for it");
  }
  if (std::all_of(metrics.begin(), metrics.end(), srdiff::needs_features)) {
    throw srdiff::UsageError("--html shows each picture's own figures; measure psnr, for example");
  }
}
