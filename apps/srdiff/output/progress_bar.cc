#include "output/progress_bar.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cstdio>

#include "srdiff/logging.h"
#include "user_stderr.h"

namespace {

constexpr std::size_t bar_cells = 30;
constexpr double seconds_between_lines = 5.0;
constexpr double seconds_between_drawings = 0.1;

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
    draw(fraction, fmt::format("{}/{} {}, {:.0f} s left", done, total, unit, left));
  } else if (std::chrono::duration<double>(now - last_line_).count() >= seconds_between_lines) {
    srdiff::log::info("{}/{} {}, {:.0f} s left", done, total, unit, left);
    last_line_ = now;
  }
}

void ProgressBar::update(const srdiff::BatchProgress& progress) {
  const auto now = Clock::now();
  const std::chrono::duration<double> since_drawn = now - last_drawn_;
  if (quiet_ || !terminal_ || since_drawn.count() < seconds_between_drawings) {
    return;
  }
  last_drawn_ = now;
  const std::size_t ended = progress.done + progress.skipped + progress.failed;
  std::string text = fmt::format("{}/{} pictures", ended, progress.total);
  if (progress.failed > 0) {
    text += fmt::format(", {} failed", progress.failed);
  }
  if (progress.done > 0) {
    // Pictures that are skipped take next to no time.
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    text += fmt::format(", {:.0f} s left", elapsed / static_cast<double>(progress.done) *
                                               static_cast<double>(progress.total - ended));
  }
  draw(static_cast<double>(ended) / static_cast<double>(progress.total), text);
}

void ProgressBar::draw(double fraction, const std::string& text) {
  std::fprintf(user_stderr(), "%s[%s] %s", clear_line, bar(fraction).c_str(), text.c_str());
  std::fflush(user_stderr());
  progress_bar_drawn = true;
}

void ProgressBar::clear() {
  if (progress_bar_drawn.exchange(false)) {
    std::fputs(clear_line, user_stderr());
    std::fflush(user_stderr());
  }
}
