#include "batch/batch_reader.h"

#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file_io.h"
#include "base/sha256.h"
#include "srdiff/error.h"

namespace srdiff {

namespace fs = std::filesystem;

namespace {

/// Whether a file holds the bytes that a journal says; not where it cannot be read.
bool holds(const fs::path& path, const JournalEntry& entry) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) != entry.output_size) {
    return false;
  }
  try {
    return sha256_hex(read_file(path)) == entry.output_sha256;
  } catch (const InputError&) {
    return false;  // the output is made again
  }
}

}  // namespace

void BatchReader::read(const WorkItem& item) {
  const fs::path path = plan_.input_path(item);
  const fs::path output = plan_.output_path(item);
  const std::string bytes = read_file(path, plan_.options.limits.max_file_bytes);
  BatchJob job;
  job.item = &item;
  job.input_sha256 = sha256_hex(bytes);
  if (plan_.options.existing == Existing::resume && is_done(job)) {
    account_.finish({path, output, ImageStatus::skipped, "done by an earlier run"});
    return;
  }
  job.image = decode_image(bytes, path.string(), plan_.options.limits);
  job.input_size = {job.image.width(), job.image.height()};
  job.plan = std::make_shared<const UpscalePlan>(
      plan_.upscaler.plan(job.image.height(), job.image.width(), plan_.settings, path.string()));
  check_encodable(output_layout(*job.plan, job.image), lower_case_extension(output),
                  output.string(), plan_.options.encode);
  const std::size_t size = job.bytes();
  decoded_.push(std::move(job), size);
}

bool BatchReader::is_done(const BatchJob& job) {
  const std::optional<JournalEntry> entry = journal_.find(job.item->output);
  if (!entry || entry->input_sha256 != job.input_sha256 || entry->run_sha256 != plan_.run_sha256 ||
      !holds(plan_.output_path(*job.item), *entry)) {
    return false;
  }
  journal_.keep(job.item->output, *entry);
  return true;
}

}  // namespace srdiff
