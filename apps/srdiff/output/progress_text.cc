#include "output/progress_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

std::string progress_text(std::int64_t done, std::int64_t total, const char* unit,
                          double elapsed_seconds) {
  const std::string text = fmt::format("{}/{} {}", done, total, unit);
  if (done <= 0) {
    return text;
  }
  const double seconds_each = elapsed_seconds / static_cast<double>(done);
  return text + fmt::format(", {:.0f} s left", seconds_each * static_cast<double>(total - done));
}

std::string progress_cells(std::int64_t done, std::int64_t total) {
  constexpr std::int64_t cells = 30;
  const std::int64_t filled =
      total > 0 ? std::clamp<std::int64_t>(done * cells / total, 0, cells) : 0;
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(cells - filled), '-');
}
