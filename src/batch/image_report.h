#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace srdiff {

enum class ImageStatus { done, skipped, failed };

/// "done", "skipped", "failed".
std::string to_string(ImageStatus status);

struct ImageSize {
  std::int64_t width = 0;  ///< pixels; 0 where it is not known
  std::int64_t height = 0;
};

/// What became of one picture of a folder.
struct ImageReport {
  std::filesystem::path input;
  std::filesystem::path output;
  ImageStatus status = ImageStatus::done;
  std::string reason = {};  ///< why it failed or was skipped; of one done, what its input lacks
  ImageSize input_size = {};
  ImageSize output_size = {};
  double seconds = 0.0;  ///< in the networks; of a batch its share
};

/// How many pictures of a folder have ended, and how.
struct BatchProgress {
  std::size_t done = 0;
  std::size_t skipped = 0;
  std::size_t failed = 0;
  std::size_t total = 0;
};

/// What the networks of a folder run are at.
struct BatchWork {
  std::filesystem::path input;  ///< what they have now; of several pictures at once the first
  /// How many pictures they have computed, with the part that is done of those that they have.
  double computed = 0.0;
};

}  // namespace srdiff
