#include "batch/batch.h"

#include <ATen/Parallel.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "base/atomic_file.h"
#include "base/bounded_queue.h"
#include "base/file_io.h"
#include "base/sha256.h"
#include "base/text_escape.h"
#include "batch/journal.h"
#include "batch/report.h"
#include "batch/size_batcher.h"
#include "engine/backend.h"
#include "engine/scoped_threads.h"
#include "srdiff/device.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Stop = BatchSummary::Stop;

constexpr int most_readers = 2;
constexpr int most_writers = 4;            // they wait for the disk most of the time
constexpr std::size_t max_queued = 16;     // on a CPU, which takes few pictures at a time
constexpr std::size_t max_gathered = 256;  // decoded pictures that wait for a GPU's full calls
constexpr std::size_t max_queued_bytes = std::size_t{256} << 20;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// glibc before 2.38 does not use freed aligned blocks again where other threads allocate between
/// them, and LibTorch aligns every tensor: without this a long run takes ever more memory.
void return_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

constexpr std::size_t pictures_between_returns = 32;

/// One picture on its way.
struct Job {
  const WorkItem* item = nullptr;
  Image image;
  std::string input_sha256;
  std::shared_ptr<const UpscalePlan> plan = nullptr;
  ImageSize input_size;
  double seconds = 0.0;
  std::string encoded = {};  ///< the output's file, of a picture whose pixels would take too much

  std::size_t bytes() const {
    return encoded.size() + (image.rgb.defined() ? image.rgb.nbytes() : 0) +
           (image.alpha.defined() ? image.alpha.nbytes() : 0);
  }
};

/// How much of the time between the first call and the last was spent in calls.
class BusyTime {
 public:
  void add(Clock::time_point from, Clock::time_point to) {
    first_ = first_.value_or(from);
    last_ = to;
    busy_ += seconds_between(from, to);
  }

  double share() const { return first_ ? busy_ / seconds_between(*first_, last_) : 0.0; }

 private:
  std::optional<Clock::time_point> first_;
  Clock::time_point last_;
  double busy_ = 0.0;
};

/// The next picture would fail in the same way.
bool ends_the_run(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EROFS ||
         error_number == EIO;
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw WriteError(folder, error.value());
  }
}

/// Why the exception in flight is a picture's failure; nothing where it is none.
std::optional<std::string> picture_failure() {
  try {
    throw;
  } catch (const InputError& error) {
    return error.what();
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      return "not enough memory";
    }
  } catch (...) {
    // not even an exception of the library's: nothing is known of it
  }
  return std::nullopt;
}

/// Pictures flow from readers through the networks, which run in the calling thread, to writers.
/// After a stop each part goes on taking what comes and drops it, so that none waits for another.
class BatchRun {
 public:
  BatchRun(const Upscaler& upscaler, const WorkList& work, const UpscaleSettings& settings,
           const BatchOptions& options, const BatchObserver& observer)
      : upscaler_(upscaler),
        work_(work),
        settings_(settings),
        options_(options),
        observer_(observer),
        journal_(work.output_folder, work.shard, outputs_to_forget()),
        report_(options.report, options.encode.made_by, settings.seed) {
    const EncodeOptions& encode = options.encode;
    run_sha256_ = sha256_hex(encode.made_by + "\nquality " + std::to_string(encode.quality) +
                             (encode.strip_metadata ? "\nwithout metadata" : ""));
    summary_.images.total = work.items.size() + work.unlisted.size();
  }

  BatchSummary operator()() {
    remove_stale_files();
    if (options_.existing == Existing::resume) {
      journal_.read_others();
    }
    for (const Unlisted& folder : work_.unlisted) {
      fail(work_.input_folder / folder.folder, {}, folder.reason);
    }
    run_threads();
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    guarded({}, [&] { journal_.rewrite(); });
    summary_.compute_busy = busy_.share();
    std::sort(summary_.failures.begin(), summary_.failures.end(),
              [](const auto& a, const auto& b) { return a.input.native() < b.input.native(); });
    return std::move(summary_);
  }

 private:
  std::vector<fs::path> outputs_to_forget() const {
    std::vector<fs::path> outputs;
    if (options_.existing != Existing::resume) {
      for (const WorkItem& item : work_.items) {
        outputs.push_back(item.output);
      }
    }
    return outputs;
  }

  void remove_stale_files() const {
    std::set<fs::path> folders = {work_.output_folder};
    for (const WorkItem& item : work_.items) {
      folders.insert((work_.output_folder / item.output).parent_path());
    }
    for (const fs::path& folder : folders) {
      remove_stale_temporary_files(folder);
    }
  }

  /// Throws std::system_error where the system does not give two threads; fewer than asked for do.
  void run_threads() {
    // Where LibTorch brings its own OpenMP, the threads below may change this one's count.
    std::optional<ScopedThreads> kept(at::get_num_threads());
    std::promise<bool> decided;
    const std::shared_future<bool> begins = decided.get_future().share();
    std::vector<std::thread> threads;
    std::vector<std::future<void>> ready;
    std::optional<std::system_error> refusal;
    const auto start = [&](void (BatchRun::*loop)(), int most) {
      for (int i = 0; i < most; ++i) {
        std::promise<void> is_ready;
        std::future<void> of_this = is_ready.get_future();
        try {
          threads.emplace_back([this, loop, begins, is_ready = std::move(is_ready)]() mutable {
            const ScopedThreads one(1);  // LibTorch's threads are for the networks
            is_ready.set_value();
            if (begins.get()) {
              (this->*loop)();
            }
          });
        } catch (const std::system_error& error) {
          refusal = error;
          return i;
        }
        ready.push_back(std::move(of_this));
      }
      return most;
    };
    readers_ = start(&BatchRun::read_all, most_readers);
    const int writers = start(&BatchRun::write_all, most_writers);
    for (const std::future<void>& thread : ready) {
      thread.wait();
    }
    kept.reset();
    const bool enough = readers_ > 0 && writers > 0;
    decided.set_value(enough);
    if (enough) {
      compute_all();
      computed_.close();
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    if (!enough) {
      throw *refusal;
    }
  }

  void read_all() {
    while (!stopped()) {
      const std::size_t i = next_++;
      if (i >= work_.items.size()) {
        break;
      }
      guarded(&work_.items[i], [&] { read(work_.items[i]); });
    }
    if (++readers_done_ == readers_) {
      decoded_.close();
    }
  }

  void read(const WorkItem& item) {
    const fs::path path = work_.input_folder / item.name;
    const std::string bytes = read_file(path, options_.limits.max_file_bytes);
    Job job;
    job.item = &item;
    job.input_sha256 = sha256_hex(bytes);
    if (options_.existing == Existing::resume && is_done(job)) {
      finish({path, output_path(item), ImageStatus::skipped, "done by an earlier run"});
      return;
    }
    job.image = decode_image(bytes, path.string(), options_.limits);
    job.input_size = {job.image.width(), job.image.height()};
    job.plan = std::make_shared<const UpscalePlan>(
        upscaler_.plan(job.image.height(), job.image.width(), settings_, path.string()));
    const fs::path output = output_path(item);
    check_encodable(output_layout(*job.plan, job.image), lower_case_extension(output),
                    output.string(), options_.encode);
    const std::size_t size = job.bytes();
    decoded_.push(std::move(job), size);
  }

  bool is_done(const Job& job) {
    const std::optional<JournalEntry> entry = journal_.find(job.item->output);
    if (!entry || entry->input_sha256 != job.input_sha256 || entry->run_sha256 != run_sha256_) {
      return false;
    }
    const fs::path output = output_path(*job.item);
    std::error_code error;
    if (!fs::is_regular_file(output, error) || fs::file_size(output, error) != entry->output_size ||
        sha256_hex(read_file(output)) != entry->output_sha256) {
      return false;
    }
    journal_.keep(job.item->output, *entry);
    return true;
  }

  void compute_all() {
    using Size = std::pair<std::int64_t, std::int64_t>;
    // A CPU loses little when fewer go together, but time when it waits for others of a size.
    const std::size_t held = backend_for(upscaler_.model().device()).one_image_per_call()
                                 ? 4 * static_cast<std::size_t>(at::get_num_threads())
                                 : max_gathered;
    Gathering<Size, Job> gathering(held, max_queued_bytes);
    while (std::optional<Job> job = decoded_.pop()) {
      if (!stopped()) {
        const auto [width, height] = job->input_size;
        const std::int64_t enough = upscaler_.images_at_once(*job->plan);
        const std::size_t bytes = job->bytes();
        compute(gathering.add({height, width}, std::move(*job), bytes,
                              static_cast<std::size_t>(enough)));
      }
    }
    for (auto group = gathering.take_largest(); !group.empty(); group = gathering.take_largest()) {
      compute(std::move(group));
    }
  }

  void compute(std::vector<Job> group) {
    if (group.empty() || stopped()) {
      return;
    }
    try {
      upscale(group);
    } catch (const Cancelled&) {
      stop(Stop::cancelled);
    } catch (const InputError&) {
      if (group.size() == 1) {
        fail_or_give_up(group.front().item);
      } else {
        compute_each(group);
      }
    } catch (...) {
      for (const Job& job : group) {
        fail_or_give_up(job.item);
      }
    }
  }

  /// One by one, where a failure is not known to be of all.
  void compute_each(std::vector<Job>& group) {
    for (Job& job : group) {
      std::vector<Job> alone;
      alone.push_back(std::move(job));
      compute(std::move(alone));
    }
  }

  void upscale(std::vector<Job>& group) {
    UpscaleObserver observer;
    observer.cancelled = observer_.cancelled;
    const Clock::time_point start = Clock::now();
    // A picture that is cut into tiles may have too many pixels: it is encoded as its rows come.
    if (group.front().plan->is_tiled()) {
      for (Job& job : group) {
        if (!job.encoded.empty()) {
          continue;  // before another's failure
        }
        const fs::path path = output_path(*job.item);
        job.encoded = upscaler_.upscale_encoded(job.image, *job.plan, lower_case_extension(path),
                                                path.string(), options_.encode, observer);
        job.image = {};
      }
    } else {
      std::vector<Image> images;
      images.reserve(group.size());
      for (const Job& job : group) {
        images.push_back(job.image);  // tensors: the pixels are not copied
      }
      std::vector<Image> results = upscaler_.upscale(images, *group.front().plan, observer);
      for (std::size_t i = 0; i < group.size(); ++i) {
        group[i].image = std::move(results[i]);
      }
    }
    const Clock::time_point end = Clock::now();
    busy_.add(start, end);
    computed_count_ += group.size();
    if (computed_count_ >= pictures_between_returns) {
      return_free_memory();
      computed_count_ = 0;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i].seconds = seconds_between(start, end) / static_cast<double>(group.size());
      const std::size_t size = group[i].bytes();
      computed_.push(std::move(group[i]), size);
    }
  }

  void write_all() {
    while (std::optional<Job> job = computed_.pop()) {
      if (!storage_failed_) {
        guarded(job->item, [&] { write(*job); });
      }
    }
  }

  void write(Job& job) {
    const fs::path path = output_path(*job.item);
    const std::string bytes =
        job.encoded.empty()
            ? encode_image(job.image, lower_case_extension(path), path.string(), options_.encode)
            : std::move(job.encoded);
    make_folder(path.parent_path());
    write_file_atomically(path, bytes);
    journal_.append(job.item->output,
                    {job.input_sha256, run_sha256_, sha256_hex(bytes), bytes.size()});
    finish({input_path(*job.item),
            path,
            ImageStatus::done,
            "",
            job.input_size,
            {job.plan->output_width(), job.plan->output_height()},
            job.seconds});
  }

  /// Runs one step of one picture; what goes wrong is that picture's failure where it can be.
  template <typename Step>
  void guarded(const WorkItem* item, Step step) {
    try {
      step();
    } catch (const WriteError& error) {
      if (item == nullptr || ends_the_run(error.error_number())) {
        stop(Stop::storage, error.what());
      } else {
        fail(input_path(*item), output_path(*item), error.what());
      }
    } catch (...) {
      fail_or_give_up(item);
    }
  }

  /// The exception in flight: the picture's failure where it is one, and else the run's end.
  void fail_or_give_up(const WorkItem* item) {
    const std::optional<std::string> reason = picture_failure();
    if (item != nullptr && reason) {
      fail(input_path(*item), output_path(*item), *reason);
    } else {
      give_up();
    }
  }

  void fail(const fs::path& input, const fs::path& output, std::string reason) {
    const std::string name = printable(input.string()) + ": ";  // as messages have it
    if (reason.rfind(name, 0) == 0) {
      reason.erase(0, name.size());
    }
    finish({input, output, ImageStatus::failed, reason});
    if (options_.fail_fast) {
      stop(Stop::fail_fast);
    }
  }

  void finish(const ImageReport& report) {
    std::unique_lock lock(mutex_);
    BatchProgress& images = summary_.images;
    (report.status == ImageStatus::done      ? images.done
     : report.status == ImageStatus::skipped ? images.skipped
                                             : images.failed) += 1;
    if (report.status == ImageStatus::failed) {
      summary_.failures.push_back(report);
    }
    if (observer_.on_image) {
      observer_.on_image(report, images);
    }
    try {
      report_.add(report);
    } catch (const WriteError& error) {
      lock.unlock();
      stop(Stop::storage, error.what());
    }
  }

  bool stopped() {
    if (observer_.cancelled && observer_.cancelled()) {
      stop(Stop::cancelled);
    }
    return stop_;
  }

  /// The first reason counts.
  void stop(Stop why, const std::string& reason = "") {
    const std::lock_guard lock(mutex_);
    if (!stop_) {
      summary_.stop = why;
      summary_.stop_reason = reason;
    }
    storage_failed_ = storage_failed_ || why == Stop::storage;
    stop_ = true;
  }

  /// Keeps the exception in flight for the caller of the run.
  void give_up() {
    stop(Stop::none);
    const std::lock_guard lock(mutex_);
    failure_ = failure_ ? failure_ : std::current_exception();
  }

  fs::path input_path(const WorkItem& item) const { return work_.input_folder / item.name; }
  fs::path output_path(const WorkItem& item) const { return work_.output_folder / item.output; }

  const Upscaler& upscaler_;
  const WorkList& work_;
  const UpscaleSettings& settings_;
  const BatchOptions& options_;
  const BatchObserver& observer_;
  std::string run_sha256_;
  Journal journal_;
  ReportFile report_;  // after the lock: it may be another run's
  const std::size_t queued_ =
      backend_for(upscaler_.model().device()).one_image_per_call() ? max_queued : max_gathered;
  BoundedQueue<Job> decoded_{queued_, max_queued_bytes};
  BoundedQueue<Job> computed_{queued_, max_queued_bytes};
  std::atomic<std::size_t> next_ = 0;
  int readers_ = 0;
  std::atomic<int> readers_done_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> storage_failed_ = false;
  BusyTime busy_;
  std::size_t computed_count_ = 0;  ///< since memory was returned
  std::mutex mutex_;                ///< for what follows
  BatchSummary summary_;
  std::exception_ptr failure_;
};

}  // namespace

BatchSummary run_batch(const Upscaler& upscaler, const WorkList& work,
                       const UpscaleSettings& settings, const BatchOptions& options,
                       const BatchObserver& observer) {
  make_folder(work.output_folder);
  return BatchRun(upscaler, work, settings, options, observer)();
}

}  // namespace srdiff
