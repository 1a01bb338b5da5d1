#include "progress_bar.h"

#include <unistd.h>

#include <cstdio>

#include "srdiff/logging.h"

namespace {

constexpr std::size_t bar_cells = 30;
constexpr double seconds_between_lines = 5.0;

std::string bar(double fraction) {
  const auto filled = static_cast<std::size_t>(fraction * bar_cells);
  return std::string(filled, '#') + std::string(bar_cells - filled, '-');
}

}  // namespace

ProgressBar::ProgressBar(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::update(const srdiff::UpscaleProgress& progress) {
  update(progress.evaluations_done, progress.evaluations_total, "evaluations");
}

void ProgressBar::update(std::int64_t done, std::int64_t total, const char* unit) {
  if (quiet_) {
    return;
  }
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double fraction = static_cast<double>(done) / static_cast<double>(total);
  const double left = elapsed * (1.0 - fraction) / fraction;
  if (terminal_) {
    std::fprintf(stderr, "\r\x1b[K[%s] %lld/%lld %s, %.0f s left", bar(fraction).c_str(),
                 static_cast<long long>(done), static_cast<long long>(total), unit, left);
    std::fflush(stderr);
    drawn_ = true;
  } else if (std::chrono::duration<double>(now - last_line_).count() >= seconds_between_lines) {
    srdiff::log::info("{}/{} {}, {:.0f} s left", done, total, unit, left);
    last_line_ = now;
  }
}

void ProgressBar::clear() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
  }
}
