#include "output/progress_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace {

constexpr double minute = 60.0;
constexpr double long_run = minute;
// The first evaluation brings code and weights in from the disk, so that it alone tells too much.
constexpr double seconds_to_tell_by = 4.0;

/// Pictures whose end takes time.
double to_compute(const srdiff::BatchProgress& pictures) {
  return static_cast<double>(pictures.total - pictures.skipped - pictures.failed);
}

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

std::string share_text(double fraction, double elapsed_seconds) {
  constexpr double percent = 100.0;
  std::string text = fmt::format("{:.0f} %", std::floor(percent * fraction));
  if (fraction > 0.0) {
    text += ", " + duration_text(elapsed_seconds / fraction * (1.0 - fraction)) + " left";
  }
  return text;
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

std::string folder_progress_text(const srdiff::BatchProgress& pictures, double computed,
                                 double elapsed_seconds) {
  const std::size_t ended = pictures.done + pictures.skipped + pictures.failed;
  std::string text = fmt::format("{}/{} pictures", ended, pictures.total);
  if (pictures.failed > 0) {
    text += fmt::format(", {} failed", pictures.failed);
  }
  if (computed > 0.0) {
    const double left = to_compute(pictures) - computed;
    text += ", " + duration_text(std::max(0.0, elapsed_seconds / computed * left)) + " left";
  }
  return text;
}

double folder_fraction(const srdiff::BatchProgress& pictures, double computed) {
  const double all = to_compute(pictures);
  return all > 0.0 ? std::min(1.0, computed / all) : 1.0;
}

std::string long_run_text(const std::string& work, double done_fraction, double elapsed_seconds) {
  if (done_fraction <= 0.0 || elapsed_seconds < seconds_to_tell_by) {
    return {};
  }
  const double whole = elapsed_seconds / done_fraction;
  return whole > long_run ? work + ", some " + duration_text(whole) + " in all" : std::string();
}

std::string progress_cells(double fraction) {
  constexpr std::size_t cells = 30;
  const auto filled = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * cells);
  return std::string(filled, '#') + std::string(cells - filled, '-');
}

std::string shortened(const std::string& name, std::size_t most) {
  const auto begins_character = [](char byte) { return (byte & '\xC0') != '\x80'; };
  auto count = static_cast<std::size_t>(std::count_if(name.begin(), name.end(), begins_character));
  if (count <= most) {
    return name;
  }
  auto kept = name.begin();
  for (; kept != name.end() && (count >= most || !begins_character(*kept)); ++kept) {
    count -= begins_character(*kept) ? 1 : 0;
  }
  return "…" + std::string(kept, name.end());
}
