#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "batch/work_list.h"
#include "srdiff/image_io.h"
#include "srdiff/upscaler.h"

namespace srdiff {

enum class ImageStatus { done, skipped, failed };

/// "done", "skipped", "failed".
std::string to_string(ImageStatus status);

struct ImageSize {
  std::int64_t width = 0;  ///< pixels; 0 where it is not known
  std::int64_t height = 0;
};

/// What became of one picture.
struct ImageReport {
  std::filesystem::path input;
  std::filesystem::path output;
  ImageStatus status = ImageStatus::done;
  std::string reason = {};  ///< why it failed or was skipped
  ImageSize input_size = {};
  ImageSize output_size = {};
  double seconds = 0.0;  ///< in the networks; of a batch its share
};

struct BatchOptions {
  Existing existing = Existing::refuse;
  bool fail_fast = false;  ///< stop at the first picture that fails
  DecodeLimits limits = {};
  EncodeOptions encode = {};          ///< `made_by` is filled in by run_batch
  std::filesystem::path report = {};  ///< JSON Lines, one a picture as it ends; empty: none
};

struct BatchProgress {
  std::size_t done = 0;
  std::size_t skipped = 0;
  std::size_t failed = 0;
  std::size_t total = 0;
};

/// All are optional. Calls come one at a time, from several threads.
struct BatchObserver {
  std::function<void(const ImageReport&, const BatchProgress&)> on_image;
  std::function<bool()> cancelled;  ///< true: the picture in the networks is dropped, then stop
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
/// runs are removed.
///
/// Call check_outputs and check_report first: what is in the way is replaced.
/// Throws InputError when the output folder or the report cannot be made, UsageError when another
/// run is writing there, ModelError when the device fails.
BatchSummary run_batch(const Upscaler& upscaler, const WorkList& work,
                       const UpscaleSettings& settings, const BatchOptions& options,
                       const BatchObserver& observer = {});

/// Throws UsageError when `report`, unless empty, is a file that the run reads or makes: a picture,
/// a journal, or the list that the pictures' names came from (empty: none).
void check_report(const std::filesystem::path& report, const WorkList& work,
                  const std::filesystem::path& list = {});

/// Joins the lines of several reports, sorted by output. Of an output that comes twice the last
/// line that is done counts, else the last. A last line that a kill tore apart is left out.
struct MergedReport {
  std::string lines;
  BatchProgress images;
};

/// Throws InputError "FILE:LINE: …" on a file that is no report.
MergedReport merge_reports(const std::vector<std::filesystem::path>& reports);

}  // namespace srdiff
