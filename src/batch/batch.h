#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "batch/batch_observer.h"
#include "batch/image_report.h"
#include "batch/work_list.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/upscaler.h"

namespace srdiff {

struct BatchOptions {
  Existing existing = Existing::refuse;
  bool fail_fast = false;  ///< stop at the first picture that fails
  DecodeLimits limits = {};
  /// Folder of masks, one for each picture, by its name below the input folder or the same with
  /// another picture's ending (see UpscalePlan::set_mask); empty: none.
  std::filesystem::path masks = {};
  EncodeOptions encode = {};          ///< `made_by` is filled in by run_batch
  std::filesystem::path report = {};  ///< JSON Lines, one a picture as it ends; empty: none
  /// Words a picture's failure for reports, such as with a remedy by the error's code; empty: the
  /// error's own words.
  std::function<std::string(const Error&)> word_failure = {};
};

struct BatchSummary {
  /// Why a run ended before its last picture.
  enum class Stop {
    none,
    cancelled,
    fail_fast,
    storage,  ///< full, read-only or broken: the next picture would fail as well
  };

  BatchProgress images;
  std::vector<ImageReport> failures;  ///< in the order of the inputs' bytes
  Stop stop = Stop::none;
  std::string stop_reason = {};
  /// Share of the time from the start of the first network call to the end of the last that was
  /// spent in network calls; 0 without any.
  double compute_busy = 0.0;
};

/// Upscales a folder into another. Reading, the networks and writing overlap; memory is bounded
/// whatever the number of pictures. A picture that fails does not stop the rest.
///
/// Each output appears whole or not at all, and is noted in a journal in the output folder. Under
/// Existing::resume a picture whose input, model, settings and output are as noted is skipped, so
/// that a run killed at any instant and resumed leaves on the CPU the bytes of one that was not; on
/// a GPU the last bits of a picture may depend on those computed with it. Temporary files of killed
/// runs are removed. Where the output folder is removed or replaced meanwhile, the run stops.
///
/// Call check_outputs and check_report first: what is in the way is replaced.
/// Throws InputError when the output folder or the report cannot be made; UsageError when another
/// run is writing there, or when two outputs differ in case only and the output folder's file
/// system does not tell them apart; ModelError when the device fails.
BatchSummary run_batch(const Upscaler& upscaler, const WorkList& work,
                       const UpscaleSettings& settings, const BatchOptions& options,
                       const BatchObserver& observer = {});

}  // namespace srdiff
