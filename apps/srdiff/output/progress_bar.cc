#include "output/progress_bar.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text_escape.h"
#include "output/progress_text.h"
#include "srdiff/logging.h"
#include "standard_streams.h"

namespace {

constexpr double seconds_between_lines = 5.0;
constexpr double seconds_between_drawings = 0.1;
// Behind the bar, on a terminal of 80 columns: a line that is broken is not drawn over as one.
constexpr std::size_t columns = 46;
constexpr std::size_t shortest_name = 8;

}  // namespace

ProgressBar::ProgressBar(bool quiet) : quiet_(quiet), terminal_(is_terminal(user_stderr())) {
  last_ = terminal_ ? Clock::time_point() : start_;
}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::begin(const std::string& name, std::string work) {
  name_ = srdiff::printable(name);
  work_ = std::move(work);
  start_ = Clock::now();
}

void ProgressBar::update(const srdiff::UpscaleProgress& progress) {
  const double fraction =
      static_cast<double>(progress.calls_done) / static_cast<double>(progress.calls_total);
  show(fraction, [&](double elapsed) { return share_text(fraction, elapsed); });
}

void ProgressBar::update(std::int64_t done, std::int64_t total, const char* unit) {
  const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0.0;
  show(fraction, [&](double elapsed) { return progress_text(done, total, unit, elapsed); });
}

void ProgressBar::update(const srdiff::BatchWork& work, const srdiff::BatchProgress& pictures) {
  computed_ = work.computed;
  name_ = srdiff::printable(work.input.filename().string());
  update(pictures);
}

void ProgressBar::update(const srdiff::BatchProgress& pictures) {
  show(folder_fraction(pictures, computed_),
       [&](double elapsed) { return folder_progress_text(pictures, computed_, elapsed); });
}

void ProgressBar::show(double fraction,
                       const std::function<std::string(double elapsed_seconds)>& figures) {
  const auto now = Clock::now();
  if (quiet_ || !is_due(now)) {
    return;
  }
  last_ = now;
  const std::chrono::duration<double> elapsed = now - start_;
  tell_long_run(fraction, elapsed.count());
  draw(fraction, figures(elapsed.count()));
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

void ProgressBar::draw(double fraction, const std::string& figures) {
  if (!terminal_) {
    srdiff::log::info("{}", name_.empty() ? figures : name_ + ": " + figures);
    return;
  }
  const std::size_t room = columns - std::min(columns, figures.size() + 2);
  const std::string name = room < shortest_name ? "" : shortened(name_, room);
  std::fprintf(user_stderr(), "%s[%s] %s%s%s", clear_line, progress_cells(fraction).c_str(),
               figures.c_str(), name.empty() ? "" : ": ", name.c_str());
  std::fflush(user_stderr());
  progress_bar_drawn = true;
}

void ProgressBar::clear() {
  if (progress_bar_drawn.exchange(false)) {
    std::fputs(clear_line, user_stderr());
    std::fflush(user_stderr());
  }
}
