#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "batch/batch.h"

namespace srdiff {

/// One picture on its way from its reader through the networks to its writer.
struct BatchJob {
  const WorkItem* item = nullptr;
  Image image;  ///< the input, then the output unless `encoded` holds it
  std::string input_sha256;
  ImageSize input_size;
  std::shared_ptr<const UpscalePlan> plan = nullptr;
  double seconds = 0.0;
  std::string damage = {};   ///< Image::damage of the input or its mask
  std::string encoded = {};  ///< the output's file, of a picture whose pixels would take too much

  /// Memory that the picture takes while it waits.
  std::size_t bytes() const {
    return encoded.size() + (image.rgb.defined() ? image.rgb.nbytes() : 0) +
           (image.alpha.defined() ? image.alpha.nbytes() : 0);
  }
};

/// What all parts of a folder run share. It refers to what the caller of run_batch has handed over.
struct BatchPlan {
  const Upscaler& upscaler;
  const WorkList& work;
  const UpscaleSettings& settings;
  const BatchOptions& options;
  const BatchObserver& observer;
  std::string run_sha256;  ///< JournalEntry::run_sha256
  /// The same of damaged inputs, which other runs refuse: what is whole does not depend on whether
  /// they are accepted.
  std::string damaged_run_sha256;

  std::filesystem::path input_path(const WorkItem& item) const {
    return work.input_folder / item.name;
  }
  std::filesystem::path output_path(const WorkItem& item) const {
    return work.output_folder / item.output;
  }
};

}  // namespace srdiff
