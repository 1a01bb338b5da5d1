#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "commands/eval_run.h"

/// Gathers what `srdiff eval --html` shows: each output beside its reference and, where the scale
/// is known, the small picture that it is made of.
class EvalPage {
 public:
  /// `scale`: of the pictures that the outputs are made of; nothing where it is not known.
  EvalPage(const EvalArgs& args, const std::vector<srdiff::Metric>& metrics,
           std::optional<int> scale);

  void add(const srdiff::ImageFigures& figures);

  /// Writes the page, once all pictures are there. Throws InputError.
  void write(const EvalRun& run);

 private:
  /// The reference made small as an address that holds it; empty where it is not to be shown.
  std::string small_picture(const std::string& reference);

  const EvalArgs& args_;
  std::vector<srdiff::Metric> metrics_;
  std::optional<int> scale_;
  std::unordered_map<std::string, std::string> references_;  ///< files by their stems
  std::vector<srdiff::ImageFigures> figures_;
  std::vector<std::string> small_;  ///< as many
  std::size_t embedded_bytes_ = 0;
};

/// Throws UsageError where there is nothing that a page could show.
void check_eval_page(const EvalArgs& args, const std::vector<srdiff::Metric>& metrics);
