#include "output/progress_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace {

constexpr double minute = 60.0;
constexpr double long_run = minute;
// The first evaluation brings code and weights in from the disk, so that it alone tells too much.
constexpr double seconds_to_tell_by = 4.0;

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 99.5) {
    return fmt::format("{:.0f} s", seconds);
  }
  if (seconds < 99.5 * minute) {
    return fmt::format("{:.0f} min", seconds / minute);
  }
  const double minutes = std::round(seconds / minute);
  return fmt::format("{:.0f} h {:.0f} min", std::floor(minutes / 60), std::fmod(minutes, 60));
}

std::string progress_text(std::int64_t done, std::int64_t total, const char* unit,
                          double elapsed_seconds) {
  std::string text = fmt::format("{}/{} {}", done, total, unit);
  if (done <= 0) {
    return text;
  }
  const double seconds_each = elapsed_seconds / static_cast<double>(done);
  return text + ", " + duration_text(seconds_each * static_cast<double>(total - done)) + " left";
}

std::string long_run_text(const std::string& work, double done_fraction, double elapsed_seconds) {
  if (done_fraction <= 0.0 || elapsed_seconds < seconds_to_tell_by) {
    return {};
  }
  const double whole = elapsed_seconds / done_fraction;
  return whole > long_run ? work + ", some " + duration_text(whole) + " in all" : std::string();
}

std::string progress_cells(std::int64_t done, std::int64_t total) {
  constexpr std::int64_t cells = 30;
  const std::int64_t filled =
      total > 0 ? std::clamp<std::int64_t>(done * cells / total, 0, cells) : 0;
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(cells - filled), '-');
}
