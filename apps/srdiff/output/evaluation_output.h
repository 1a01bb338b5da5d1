#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/evaluator.h"

/// A table of figures for people.
void print_table(std::ostream& stream, const srdiff::Evaluation& evaluation);

nlohmann::ordered_json to_json(const std::vector<srdiff::Figure>& figures);
nlohmann::ordered_json to_json(const srdiff::Evaluation& evaluation, double total_seconds);
nlohmann::ordered_json to_json(const srdiff::FeatureManifest& manifest);
nlohmann::ordered_json to_json(const srdiff::LpipsManifest& manifest);

/// Each picture's figures as CSV, a line a picture.
class ImageFigureTable {
 public:
  /// `metrics` become the columns, those of sets left out.
  explicit ImageFigureTable(const std::vector<srdiff::Metric>& metrics);
  void add(const srdiff::ImageFigures& figures);
  const std::string& text() const { return text_; }

 private:
  std::vector<srdiff::Metric> columns_;
  std::string text_;
};
