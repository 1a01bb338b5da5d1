#include "output/progress_bar.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <utility>

#include "output/progress_text.h"
#include "srdiff/logging.h"
#include "standard_streams.h"

namespace {

constexpr double seconds_between_lines = 5.0;
constexpr double seconds_between_drawings = 0.1;
// A longer name would break the line of a terminal of 80 columns, which is drawn over as one.
constexpr std::size_t longest_name = 16;

}  // namespace

ProgressBar::ProgressBar(bool quiet) : quiet_(quiet), terminal_(is_terminal(user_stderr())) {
  last_ = terminal_ ? Clock::time_point() : start_;
}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::begin(std::string name, std::string work) {
  name_ = name.size() <= longest_name ? std::move(name) : std::string();
  work_ = std::move(work);
  start_ = Clock::now();
}

void ProgressBar::update(const srdiff::UpscaleProgress& progress) {
  update(progress.evaluations_done, progress.evaluations_total, "evaluations");
}

void ProgressBar::update(std::int64_t done, std::int64_t total, const char* unit) {
  const auto now = Clock::now();
  if (!quiet_ && is_due(now)) {
    const std::chrono::duration<double> elapsed = now - start_;
    if (total > 0) {
      tell_long_run(static_cast<double>(done) / static_cast<double>(total), elapsed.count());
    }
    show(progress_cells(done, total), progress_text(done, total, unit, elapsed.count()));
    last_ = now;
  }
}

void ProgressBar::update(const srdiff::BatchProgress& progress) {
  const auto now = Clock::now();
  if (quiet_ || !is_due(now)) {
    return;
  }
  last_ = now;
  const auto ended = static_cast<std::int64_t>(progress.done + progress.skipped + progress.failed);
  const auto total = static_cast<std::int64_t>(progress.total);
  std::string text = fmt::format("{}/{} pictures", ended, total);
  if (progress.failed > 0) {
    text += fmt::format(", {} failed", progress.failed);
  }
  if (progress.done > 0) {
    // Pictures that are skipped take next to no time.
    const std::chrono::duration<double> elapsed = now - start_;
    text += ", " +
            duration_text(elapsed.count() / static_cast<double>(progress.done) *
                          static_cast<double>(total - ended)) +
            " left";
  }
  show(progress_cells(ended, total), text);
}

bool ProgressBar::is_due(Clock::time_point now) const {
  const std::chrono::duration<double> since_last = now - last_;
  return since_last.count() >= (terminal_ ? seconds_between_drawings : seconds_between_lines);
}

void ProgressBar::tell_long_run(double done_fraction, double elapsed_seconds) {
  if (work_.empty()) {
    return;
  }
  const std::string text = long_run_text(work_, done_fraction, elapsed_seconds);
  if (!text.empty()) {
    clear();
    srdiff::log::info("{}", text);
    work_.clear();
  }
}

void ProgressBar::show(const std::string& cells, const std::string& figures) {
  const std::string text = name_.empty() ? figures : name_ + ": " + figures;
  if (!terminal_) {
    srdiff::log::info("{}", text);
    return;
  }
  std::fprintf(user_stderr(), "%s[%s] %s", clear_line, cells.c_str(), text.c_str());
  std::fflush(user_stderr());
  progress_bar_drawn = true;
}

void ProgressBar::clear() {
  if (progress_bar_drawn.exchange(false)) {
    std::fputs(clear_line, user_stderr());
    std::fflush(user_stderr());
  }
}
