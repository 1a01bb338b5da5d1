#include "commands/output_checks.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/file_io.h"
#include "batch/work_list.h"
#include "images/metadata.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "standard_streams.h"

namespace fs = std::filesystem;

namespace {

void check_standard_output(const UpscaleArgs& args) {
  if (args.json) {
    throw srdiff::UsageError("--json and a picture cannot share standard output");
  }
  srdiff::check_format(args.format);
  if (is_terminal(stdout)) {
    throw srdiff::UsageError(
        "standard output is a terminal, which shows no picture; name a file, or send it on: "
        "- > out.png");
  }
}

void check_folder_above(const std::string& output) {
  std::error_code error;
  const fs::path folder = fs::absolute(output).parent_path();
  if (!fs::is_directory(folder, error)) {
    throw srdiff::InputError(output + ": cannot be written: the folder " + folder.string() +
                             " does not exist");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw srdiff::InputError(output + ": cannot be written: the folder " + folder.string() +
                             " is read-only for this user");
  }
}

void check_no_folder(const std::string& output) {
  std::error_code error;
  if (fs::is_directory(output, error)) {
    throw srdiff::InputError(output + ": cannot be written: it is a folder");
  }
}

}  // namespace

void check_existing(const std::string& output, bool overwrite) {
  std::error_code error;
  if (overwrite || !fs::exists(fs::symlink_status(output, error))) {
    return;
  }
  try {
    if (srdiff::is_made_by_srdiff(srdiff::read_file(output))) {
      return;
    }
  } catch (const srdiff::InputError&) {
    // it cannot be read, so nothing is known of it
  }
  throw srdiff::UsageError(output +
                           ": exists and does not say that srdiff made it; name another output, or "
                           "--overwrite replaces it");
}

void check_paths(const UpscaleArgs& args) {
  if (args.output == "-") {
    check_standard_output(args);
    return;
  }
  srdiff::check_writable_format(args.output);
  std::error_code error;
  if (args.input != "-" && fs::equivalent(args.input, args.output, error)) {
    throw srdiff::UsageError(args.output + ": is the input itself; name another output");
  }
  if (!args.mask.empty() && fs::equivalent(args.mask, args.output, error)) {
    throw srdiff::UsageError(args.output + ": is the mask; name another output");
  }
  check_folder_above(args.output);
  check_no_folder(args.output);
}

void check_weight_map_name(const UpscaleArgs& args, const std::vector<Variant>& pictures) {
  const std::string& file = args.save_weight_map;
  if (file.empty()) {
    return;
  }
  srdiff::check_writable_format(file);
  check_folder_above(file);
  check_no_folder(file);
  std::error_code error;
  std::vector<fs::path> others = {args.input, args.mask};
  for (const Variant& picture : pictures) {
    others.emplace_back(picture.output);
  }
  for (const fs::path& other : others) {
    if (other.empty() || other == "-") {
      continue;
    }
    if (fs::equivalent(file, other, error) ||
        fs::absolute(file).lexically_normal() == fs::absolute(other).lexically_normal()) {
      throw srdiff::UsageError(file + ": is another file of this run; name another one for " +
                               "--save-weight-map");
    }
  }
}
