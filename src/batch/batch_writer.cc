#include "batch/batch_writer.h"

#include <utility>

#include "base/file_io.h"
#include "base/sha256.h"

namespace srdiff {

namespace fs = std::filesystem;

void BatchWriter::write(BatchJob& job) {
  const fs::path path = plan_.output_path(*job.item);
  const std::string bytes =
      job.encoded.empty()
          ? encode_image(job.image, lower_case_extension(path), path.string(), plan_.options.encode)
          : std::move(job.encoded);
  if (!folder_.is_in_place()) {
    account_.stop(BatchSummary::Stop::storage,
                  plan_.work.output_folder.string() + ": was removed while the run wrote to it");
    return;
  }
  folder_.make_folder_of(path);
  write_file_atomically(path, bytes);
  journal_.append(
      job.item->output,
      {job.input_sha256, job.damage.empty() ? plan_.run_sha256 : plan_.damaged_run_sha256,
       sha256_hex(bytes), bytes.size()});
  account_.finish({plan_.input_path(*job.item),
                   path,
                   ImageStatus::done,
                   job.damage,
                   job.input_size,
                   {job.plan->output_width(), job.plan->output_height()},
                   job.seconds});
}

}  // namespace srdiff
