#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace srdiff {

/// Which fault an error reports, where the caller has a remedy that the library cannot know: a
/// command-line program names the option that helps, another program does what it does.
enum class ErrorCode {
  other,
  decompression_bomb,             ///< DecodeLimits::max_pixels_per_byte is passed
  picture_damaged,                ///< which DecodeLimits::accept_damaged might take
  device_absent,                  ///< a CUDA device that this machine does not have
  half_precision_on_cpu,          ///< fp16, which is not computed there
  precision_computed_wrongly,     ///< by this LibTorch on this device
  regressor_missing,              ///< by the model, which then starts from noise only
  weight_map_missing,             ///< by the model
  detail_curve_missing,           ///< by the model
  tiles_not_taken,                ///< by the model, whose networks look at the whole picture
  model_does_not_enlarge,         ///< its scale is 1
  outputs_collide,                ///< two pictures of a folder would become one
  outputs_exist,                  ///< in an output folder whose journal tells of an earlier run
  outputs_exist_without_journal,  ///< in any other
  output_folder_in_use,           ///< by another run
  report_unreadable,              ///< a line that no folder run has written
  feature_network_needed,         ///< by the metrics asked for
  network_not_trusted,            ///< a TorchScript file with code that networks do not need
  benchmark_unreadable,           ///< a file that is no benchmark's JSON
  benchmark_field_wrong,          ///< JSON, but not a benchmark's
};

/// Every failure that the library reports is one of these. The message is one line that names the
/// thing at fault and the reason; it is made printable here.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorCode code = ErrorCode::other);
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// A picture that cannot be read, is not one, is too large for the model, or cannot be written.
class InputError : public Error {
 public:
  using Error::Error;
};

/// Memory, the machine's or the device's, does not hold what a picture takes.
class MemoryError : public InputError {
 public:
  using InputError::InputError;
};

/// A setting outside its range, or settings that contradict each other.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A model folder that is missing, damaged or not what its manifest says; a device that is absent
/// or computes wrongly.
class ModelError : public Error {
 public:
  using Error::Error;
};

/// The caller's cancellation callback asked for a stop.
class Cancelled : public Error {
 public:
  Cancelled() : Error("interrupted") {}
};

/// Whether an exception says that memory ran out: a MemoryError, std::bad_alloc, or LibTorch's own,
/// also where a network's interpreter has kept nothing of them but the words.
bool is_out_of_memory(const std::exception& error);

}  // namespace srdiff
