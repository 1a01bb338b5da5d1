#include "output/evaluation_output.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <ostream>

using nlohmann::ordered_json;

namespace {

std::string value_text(const srdiff::Figure& figure) {
  if (std::isnan(figure.value)) {
    return "-";
  }
  const std::string value = fmt::format("{:.6g}", figure.value);
  return figure.spread ? fmt::format("{} +- {:.3g}", value, *figure.spread) : value;
}

/// Quoted where a comma or a quote would end the field.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

/// JSON knows no infinity and no "not a number": both become null.
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json();
}

}  // namespace

void print_table(std::ostream& stream, const srdiff::Evaluation& evaluation) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const srdiff::Figure& figure : evaluation.figures) {
    name_width = std::max(name_width, figure.name.size());
    value_width = std::max(value_width, value_text(figure).size());
  }
  for (const srdiff::Figure& figure : evaluation.figures) {
    std::string line = fmt::format("{:<{}}  {:<{}}  {}", figure.name, name_width,
                                   value_text(figure), value_width, figure.note);
    line.erase(line.find_last_not_of(' ') + 1);
    stream << line << '\n';
  }
}

ordered_json to_json(const std::vector<srdiff::Figure>& figures) {
  ordered_json document = ordered_json::object();
  for (const srdiff::Figure& figure : figures) {
    ordered_json& entry = document[figure.key];
    entry["name"] = figure.name;
    entry["value"] = number(figure.value);
    if (figure.spread) {
      entry["spread"] = number(*figure.spread);
    }
    entry["better"] = to_string(figure.better);
    if (!figure.note.empty()) {
      entry["note"] = figure.note;
    }
  }
  return document;
}

ordered_json to_json(const srdiff::Evaluation& evaluation, double total_seconds) {
  const srdiff::EvaluationSeconds& seconds = evaluation.seconds;
  return {{"images", evaluation.images},
          {"references", evaluation.references},
          {"figures", to_json(evaluation.figures)},
          {"seconds",
           {{"reading", seconds.reading},
            {"upscaling", seconds.upscaling},
            {"network", seconds.network},
            {"statistics", seconds.statistics},
            {"comparison", seconds.comparison},
            {"total", total_seconds}}}};
}

ordered_json to_json(const srdiff::FeatureManifest& manifest) {
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"dimensions", manifest.dimensions},
          {"fingerprint", fingerprint(manifest)}};
}

ordered_json to_json(const srdiff::LpipsManifest& manifest) {
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"fingerprint", fingerprint(manifest)}};
}

ImageFigureTable::ImageFigureTable(const std::vector<srdiff::Metric>& metrics) : text_("image") {
  for (const srdiff::Metric metric : metrics) {
    if (!needs_features(metric)) {
      columns_.push_back(metric);
      text_ += ',' + to_string(metric);
    }
  }
  text_ += '\n';
}

void ImageFigureTable::add(const srdiff::ImageFigures& figures) {
  text_ += csv_field(figures.image);
  for (const srdiff::Metric column : columns_) {
    const auto found = std::find_if(figures.values.begin(), figures.values.end(),
                                    [&](const auto& value) { return value.first == column; });
    text_ += ',';
    if (found != figures.values.end()) {
      text_ += fmt::format("{:.9g}", found->second);
    }
  }
  text_ += '\n';
}
