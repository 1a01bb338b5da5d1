#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "batch/batch.h"
#include "page/html_page.h"

/// Gathers what `srdiff upscale --html` shows of several pictures: each before and after, those
/// that failed first.
class UpscalePage {
 public:
  /// Names are shown as they are below `input_folder`, which may be empty.
  UpscalePage(std::string file, std::filesystem::path input_folder)
      : file_(std::move(file)), input_folder_(std::move(input_folder)) {}

  void add(const srdiff::ImageReport& image);

  /// Writes the page, of what was done until then. Throws InputError.
  void write(const std::string& output, const std::string& made_by,
             const srdiff::BatchSummary& summary);

 private:
  std::string file_;
  std::filesystem::path input_folder_;
  std::vector<PagePicture> pictures_;
};
