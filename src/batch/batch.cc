#include "batch/batch.h"

#include <atomic>
#include <optional>
#include <set>
#include <system_error>

#include "base/atomic_file.h"
#include "base/bounded_queue.h"
#include "base/sha256.h"
#include "batch/batch_account.h"
#include "batch/batch_job.h"
#include "batch/batch_limits.h"
#include "batch/batch_networks.h"
#include "batch/batch_reader.h"
#include "batch/batch_threads.h"
#include "batch/batch_writer.h"
#include "batch/journal.h"
#include "batch/output_folder.h"
#include "srdiff/error.h"

namespace srdiff {

namespace fs = std::filesystem;

namespace {

constexpr int most_readers = 2;
constexpr int most_writers = 4;  // they wait for the disk most of the time

/// All that decides the bytes of an output besides its input.
std::string run_hash(const EncodeOptions& encode) {
  return sha256_hex(encode.made_by + "\nquality " + std::to_string(encode.quality) +
                    (encode.strip_metadata ? "\nwithout metadata" : ""));
}

/// The outputs of which the journal's entries do not count any more.
std::vector<fs::path> outputs_to_forget(const BatchPlan& plan) {
  std::vector<fs::path> outputs;
  if (plan.options.existing != Existing::resume) {
    for (const WorkItem& item : plan.work.items) {
      outputs.push_back(item.output);
    }
  }
  return outputs;
}

/// Pictures flow from readers through the networks, which run in the calling thread, to writers.
/// After a stop each part goes on taking what comes and drops it, so that none waits for another.
class BatchRun {
 public:
  explicit BatchRun(const BatchPlan& plan)
      : plan_(plan),
        folder_(plan.work.output_folder),
        journal_(plan.work.output_folder, plan.work.shard, outputs_to_forget(plan)),
        account_(plan) {
    if (journal_.names_ignore_case()) {
      check_names_without_case(plan.work);
    }
  }

  BatchSummary operator()() {
    remove_stale_files();
    if (plan_.options.existing == Existing::resume) {
      journal_.read_others();
    }
    for (const Unlisted& folder : plan_.work.unlisted) {
      account_.fail(plan_.work.input_folder / folder.folder, {}, folder.reason);
    }
    run_threads();
    account_.rethrow_failure();
    account_.guard(nullptr, [this] {
      if (folder_.is_in_place()) {
        journal_.rewrite();
      }
    });
    return account_.result(networks_.busy_share());
  }

 private:
  /// In all folders that this run or an earlier one has written to.
  void remove_stale_files() const {
    std::set<fs::path> folders = {plan_.work.output_folder};
    for (const WorkItem& item : plan_.work.items) {
      folders.insert(plan_.output_path(item).parent_path());
    }
    for (const fs::path& output : journal_.outputs()) {
      folders.insert((plan_.work.output_folder / output).parent_path());
    }
    for (const fs::path& folder : folders) {
      remove_stale_temporary_files(folder);
    }
  }

  /// Throws std::system_error where the system does not give two threads; fewer than asked for do.
  void run_threads() {
    BatchThreads threads;
    readers_ = threads.start([this] { read_all(); }, most_readers);
    const int writers = threads.start([this] { write_all(); }, most_writers);
    const bool enough = readers_ > 0 && writers > 0;
    if (const auto refusal = threads.begin(enough)) {
      throw std::system_error(*refusal);
    }
    networks_.run();
    computed_.close();
    threads.join();
  }

  void read_all() {
    while (!account_.stopped()) {
      const std::size_t i = next_++;
      if (i >= plan_.work.items.size()) {
        break;
      }
      const WorkItem& item = plan_.work.items[i];
      account_.guard(&item, [&] { reader_.read(item); });
    }
    if (++readers_done_ == readers_) {
      decoded_.close();
    }
  }

  void write_all() {
    while (std::optional<BatchJob> job = computed_.pop()) {
      if (!account_.storage_failed()) {
        account_.guard(job->item, [&] { writer_.write(*job); });
      }
    }
  }

  const BatchPlan& plan_;
  OutputFolder folder_;
  Journal journal_;
  BatchAccount account_;  // after the journal's lock: the report may be another run's
  const std::size_t queued_ =
      computes_few_together(plan_.upscaler) ? max_queued : max_waiting_for_gpu;
  BoundedQueue<BatchJob> decoded_{queued_, max_queued_bytes};
  BoundedQueue<BatchJob> computed_{queued_, max_queued_bytes};
  BatchReader reader_{plan_, account_, journal_, decoded_};
  BatchNetworks networks_{plan_, account_, decoded_, computed_};
  BatchWriter writer_{plan_, account_, journal_, folder_};
  std::atomic<std::size_t> next_ = 0;
  int readers_ = 0;
  std::atomic<int> readers_done_ = 0;
};

}  // namespace

BatchSummary run_batch(const Upscaler& upscaler, const WorkList& work,
                       const UpscaleSettings& settings, const BatchOptions& options,
                       const BatchObserver& observer) {
  const std::string run = run_hash(options.encode);
  const BatchPlan plan{
      upscaler, work, settings, options, observer, run, sha256_hex(run + " of damaged inputs")};
  return BatchRun(plan)();
}

}  // namespace srdiff
