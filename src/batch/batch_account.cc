#include "batch/batch_account.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/atomic_file.h"
#include "base/text_escape.h"
#include "srdiff/error.h"

namespace srdiff {

namespace fs = std::filesystem;
using Stop = BatchSummary::Stop;

namespace {

/// Whether writing the next picture would fail in the same way.
bool is_of_the_storage(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EROFS ||
         error_number == EIO;
}

}  // namespace

BatchAccount::BatchAccount(const BatchPlan& plan)
    : plan_(plan), report_(plan.options.report, plan.options.encode.made_by, plan.settings.seed) {
  summary_.images.total = plan.work.items.size() + plan.work.unlisted.size();
}

bool BatchAccount::stopped() {
  if (plan_.observer.cancelled && plan_.observer.cancelled()) {
    stop(Stop::cancelled);
  }
  return stop_;
}

void BatchAccount::stop(Stop why, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (!stop_) {
    summary_.stop = why;
    summary_.stop_reason = reason;
  }
  storage_failed_ = storage_failed_ || why == Stop::storage;
  stop_ = true;
}

void BatchAccount::tell_work(const BatchWork& work) {
  if (plan_.observer.on_work) {
    const std::lock_guard lock(mutex_);
    plan_.observer.on_work(work, summary_.images);
  }
}

void BatchAccount::finish(const ImageReport& report) {
  std::unique_lock lock(mutex_);
  BatchProgress& images = summary_.images;
  (report.status == ImageStatus::done      ? images.done
   : report.status == ImageStatus::skipped ? images.skipped
                                           : images.failed) += 1;
  if (report.status == ImageStatus::failed) {
    summary_.failures.push_back(report);
  }
  if (plan_.observer.on_image) {
    plan_.observer.on_image(report, images);
  }
  try {
    report_.add(report);
  } catch (const WriteError& error) {
    lock.unlock();
    stop(Stop::storage, error.what());
  }
}

void BatchAccount::fail(const fs::path& input, const fs::path& output, std::string reason) {
  const std::string name = printable(input.string()) + ": ";  // as messages have it
  if (reason.rfind(name, 0) == 0) {
    reason.erase(0, name.size());
  }
  finish({input, output, ImageStatus::failed, reason});
  if (plan_.options.fail_fast) {
    stop(Stop::fail_fast);
  }
}

void BatchAccount::guard(const WorkItem* item, const std::function<void()>& step) {
  try {
    step();
  } catch (const WriteError& error) {
    if (item == nullptr || is_of_the_storage(error.error_number())) {
      stop(Stop::storage, error.what());
    } else {
      fail(plan_.input_path(*item), plan_.output_path(*item), error.what());
    }
  } catch (...) {
    fail_or_give_up(item);
  }
}

void BatchAccount::fail_or_give_up(const WorkItem* item) {
  const std::optional<std::string> reason = picture_failure();
  if (item != nullptr && reason) {
    fail(plan_.input_path(*item), plan_.output_path(*item), *reason);
  } else {
    give_up();
  }
}

/// Why the exception in flight is a picture's failure; nothing where it is none.
std::optional<std::string> BatchAccount::picture_failure() const {
  try {
    throw;
  } catch (const InputError& error) {
    return plan_.options.word_failure ? plan_.options.word_failure(error) : error.what();
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      return "not enough memory";
    }
  } catch (...) {
    // not even an exception of the library's: nothing is known of it
  }
  return std::nullopt;
}

/// Keeps the exception in flight for the caller of the run.
void BatchAccount::give_up() {
  stop(Stop::none);
  const std::lock_guard lock(mutex_);
  failure_ = failure_ ? failure_ : std::current_exception();
}

void BatchAccount::rethrow_failure() const {
  if (failure_) {
    std::rethrow_exception(failure_);
  }
}

BatchSummary BatchAccount::result(double compute_busy) {
  summary_.compute_busy = compute_busy;
  std::sort(summary_.failures.begin(), summary_.failures.end(),
            [](const auto& a, const auto& b) { return a.input.native() < b.input.native(); });
  return std::move(summary_);
}

}  // namespace srdiff
