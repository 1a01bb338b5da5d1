#include "batch/batch_reader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file_io.h"
#include "base/sha256.h"
#include "images/image_format.h"
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

/// The mask of a picture, by the picture's name or the same with another picture's ending.
fs::path mask_path(const fs::path& masks, const fs::path& name, const fs::path& picture) {
  std::error_code error;
  if (fs::exists(masks / name, error)) {
    return masks / name;
  }
  for (const FormatTraits& format : image_formats()) {
    for (const std::string& word : format.words) {
      fs::path other = masks / name;
      other.replace_extension(word);
      if (fs::exists(other, error)) {
        return other;
      }
    }
  }
  throw InputError(picture.string() + ": has no mask of its name in " + masks.string());
}

}  // namespace

void BatchReader::read(const WorkItem& item) {
  const fs::path path = plan_.input_path(item);
  const fs::path output = plan_.output_path(item);
  const DecodeLimits& limits = plan_.options.limits;
  PictureFile file = item.opened ? std::move(*item.opened) : open_picture(path, limits);
  BatchJob job;
  job.item = &item;
  job.input_sha256 = sha256_hex(file.bytes());
  std::string mask;
  fs::path mask_file;
  if (!plan_.options.masks.empty()) {
    const bool scattered = plan_.work.input_folder.empty();
    mask_file = mask_path(plan_.options.masks, scattered ? item.name.filename() : item.name, path);
    mask = read_file(mask_file, limits.max_file_bytes);
    job.input_sha256 = sha256_hex(job.input_sha256 + " masked by " + sha256_hex(mask));
  }
  if (plan_.options.existing == Existing::resume && is_done(job)) {
    account_.finish({path, output, ImageStatus::skipped, "done by an earlier run"});
    return;
  }
  file.check(limits);
  const DeclaredSize size = file.size();
  job.input_size = {size.width, size.height};
  const auto plan = std::make_shared<UpscalePlan>(
      plan_.upscaler.plan(size.height, size.width, plan_.settings, path.string()));
  if (!mask_file.empty()) {
    DecodeLimits of_mask = limits;
    of_mask.max_pixels = std::max(limits.max_pixels, plan->output_height() * plan->output_width());
    const Image picture = decode_image(mask, mask_file.string(), of_mask);
    plan->set_mask(mask_of(picture), mask_file.string());
    job.damage = picture.damage.empty() ? "" : "its mask " + picture.damage;
  }
  job.plan = plan;
  job.image = file.decode(limits);
  if (!job.image.damage.empty()) {
    job.damage = job.image.damage;
  }
  check_encodable(output_layout(*job.plan, job.image), lower_case_extension(output),
                  output.string(), plan_.options.encode);
  const std::size_t bytes = job.bytes();
  decoded_.push(std::move(job), bytes);
}

bool BatchReader::is_done(const BatchJob& job) {
  const std::optional<JournalEntry> entry = journal_.find(job.item->output);
  if (!entry || entry->input_sha256 != job.input_sha256) {
    return false;
  }
  const bool of_this_run =
      entry->run_sha256 == plan_.run_sha256 ||
      (plan_.options.limits.accept_damaged && entry->run_sha256 == plan_.damaged_run_sha256);
  if (!of_this_run || !holds(plan_.output_path(*job.item), *entry)) {
    return false;
  }
  journal_.keep(job.item->output, *entry);
  return true;
}

}  // namespace srdiff
