#pragma once

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace srdiff {

/// The share of the usual time that something faster may take, so that its gain is no noise.
inline constexpr double max_share_of_time = 0.97;

/// The time that `candidate` takes as a share of that of `usual`. After a call of each, which may
/// set something up, they are called in turns, until the shortest times of both lie far apart or
/// have had five turns. `now` gives seconds.
double share_of_time(const std::function<void()>& candidate, const std::function<void()>& usual,
                     const std::function<double()>& now);

/// Precisions that were chosen by time, kept in a file of JSON. What was measured once holds for
/// the same machine and network, and a second run gives the bytes of the first. A file that is
/// absent, cannot be read or holds something else knows nothing.
class PrecisionChoices {
 public:
  /// With an empty path nothing is kept.
  explicit PrecisionChoices(std::filesystem::path file);

  std::optional<c10::ScalarType> find(const std::string& circumstances) const;
  /// Writes the file whole, with its folder, or leaves it as it was: an unwritable one costs the
  /// next run its time, nothing else.
  void remember(const std::string& circumstances, c10::ScalarType precision);

 private:
  std::filesystem::path file_;
  std::map<std::string, std::string> words_;
};

}  // namespace srdiff
