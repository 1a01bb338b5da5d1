#include "batch/batch_networks.h"

#include <ATen/Parallel.h>
#include <malloc.h>

#include <utility>

#include "base/file_io.h"
#include "batch/batch_limits.h"
#include "batch/size_batcher.h"
#include "srdiff/error.h"

namespace srdiff {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t pictures_between_returns = 32;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// glibc before 2.38 does not use freed aligned blocks again where other threads allocate between
/// them, and LibTorch aligns every tensor: without this a long run takes ever more memory.
void return_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

/// How many decoded pictures may wait for others of their size. A CPU loses little when fewer go
/// together, but loses time while it waits for them.
std::size_t most_waiting(const Upscaler& upscaler) {
  return computes_few_together(upscaler) ? 4 * static_cast<std::size_t>(at::get_num_threads())
                                         : max_waiting_for_gpu;
}

}  // namespace

void BatchNetworks::run() {
  using Size = std::pair<std::int64_t, std::int64_t>;
  SizeBatcher<Size, BatchJob> batcher(most_waiting(plan_.upscaler), max_queued_bytes);
  while (std::optional<BatchJob> job = decoded_.pop()) {
    if (!account_.stopped()) {
      const auto [width, height] = job->input_size;
      const std::int64_t enough = plan_.upscaler.images_at_once(*job->plan);
      const std::size_t bytes = job->bytes();
      compute(
          batcher.add({height, width}, std::move(*job), bytes, static_cast<std::size_t>(enough)));
    }
  }
  for (Group group = batcher.take_largest(); !group.empty(); group = batcher.take_largest()) {
    compute(std::move(group));
  }
}

double BatchNetworks::busy_share() const {
  return first_call_ ? busy_seconds_ / seconds_between(*first_call_, last_call_end_) : 0.0;
}

void BatchNetworks::compute(Group group) {
  if (group.empty() || account_.stopped()) {
    return;
  }
  try {
    upscale(group);
  } catch (const Cancelled&) {
    account_.stop(BatchSummary::Stop::cancelled);
  } catch (const InputError&) {
    if (group.size() == 1) {
      account_.fail_or_give_up(group.front().item);
    } else {
      compute_each(group);
    }
  } catch (...) {
    for (const BatchJob& job : group) {
      account_.fail_or_give_up(job.item);
    }
  }
}

/// One by one, where a failure may be of one picture alone.
void BatchNetworks::compute_each(Group& group) {
  for (BatchJob& job : group) {
    Group single;
    single.push_back(std::move(job));
    compute(std::move(single));
  }
}

void BatchNetworks::upscale(Group& group) {
  const Clock::time_point start = Clock::now();
  if (group.front().plan->is_tiled()) {
    upscale_into_files(group);
  } else {
    upscale_together(group);
  }
  hand_on(group, start, Clock::now());
}

/// Of pictures that are computed together, behind `before` others of their group.
UpscaleObserver BatchNetworks::observer_of(const BatchJob& first, std::size_t before,
                                           std::size_t together) const {
  UpscaleObserver observer;
  observer.cancelled = plan_.observer.cancelled;
  observer.on_progress = [this, input = plan_.input_path(*first.item),
                          computed = static_cast<double>(computed_count_ + before),
                          together](const UpscaleProgress& progress) {
    const double part =
        static_cast<double>(progress.calls_done) / static_cast<double>(progress.calls_total);
    account_.tell_work({input, computed + part * static_cast<double>(together)});
  };
  return observer;
}

/// The output of a picture that is cut into tiles is encoded as it comes: its pixels may be too
/// many for the memory.
void BatchNetworks::upscale_into_files(Group& group) const {
  for (std::size_t i = 0; i < group.size(); ++i) {
    BatchJob& job = group[i];
    if (!job.encoded.empty()) {
      continue;  // made before another picture of the group failed
    }
    const fs::path path = plan_.output_path(*job.item);
    job.encoded =
        plan_.upscaler.upscale_encoded(job.image, *job.plan, lower_case_extension(path),
                                       path.string(), plan_.options.encode, observer_of(job, i, 1));
    job.image = {};
  }
}

void BatchNetworks::upscale_together(Group& group) const {
  std::vector<Image> images;
  images.reserve(group.size());
  for (const BatchJob& job : group) {
    images.push_back(job.image);  // tensors: the pixels are not copied
  }
  std::vector<Image> results = plan_.upscaler.upscale(images, *group.front().plan,
                                                      observer_of(group.front(), 0, group.size()));
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i].image = std::move(results[i]);
  }
}

void BatchNetworks::hand_on(Group& group, Clock::time_point start, Clock::time_point end) {
  first_call_ = first_call_.value_or(start);
  last_call_end_ = end;
  busy_seconds_ += seconds_between(start, end);
  computed_count_ += group.size();
  kept_count_ += group.size();
  if (kept_count_ >= pictures_between_returns) {
    return_free_memory();
    kept_count_ = 0;
  }
  for (BatchJob& job : group) {
    job.seconds = seconds_between(start, end) / static_cast<double>(group.size());
    const std::size_t size = job.bytes();
    computed_.push(std::move(job), size);
  }
}

}  // namespace srdiff
