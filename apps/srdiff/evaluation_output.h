#pragma once

#include <fstream>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "srdiff/evaluation.h"

/// A table of figures for people.
void print_table(std::ostream& stream, const srdiff::Evaluation& evaluation);

nlohmann::ordered_json to_json(const std::vector<srdiff::Figure>& figures);
nlohmann::ordered_json to_json(const srdiff::Evaluation& evaluation, double total_seconds);
nlohmann::ordered_json to_json(const srdiff::FeatureManifest& manifest);

/// A CSV file of each picture's figures, a line a picture.
class ImageFigureFile {
 public:
  /// `metrics` become the columns, those of sets left out. Throws InputError.
  ImageFigureFile(const std::string& path, const std::vector<srdiff::Metric>& metrics);
  void add(const srdiff::ImageFigures& figures);
  /// Throws InputError when something could not be written.
  void close();

 private:
  std::string path_;
  std::vector<srdiff::Metric> columns_;
  std::ofstream stream_;
};
