#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "commands/upscale_args.h"

namespace {

namespace fs = std::filesystem;

/// The ending that OUT names goes before a format, and standard output takes one picture.
void fit_to_output(UpscaleArgs& args) {
  std::error_code error;
  if (args.output == "-") {
    args.leave_out_aloud("--variants", args.variants);
  } else if (!fs::is_directory(args.output, error)) {
    args.leave_out("--format", args.format);
  }
}

/// Files are named by a list or found by patterns, as it is typed.
void fit_to_list(UpscaleArgs& args) {
  FolderArgs& folder = args.folder;
  if (args.is_typed("--files-from")) {
    args.leave_out("--glob", folder.globs);
    args.leave_out("--exclude", folder.excludes);
  } else if (args.is_typed("--glob") || args.is_typed("--exclude")) {
    args.leave_out("--files-from", folder.files_from);
  }
}

}  // namespace

UpscaleArgs with_fitting_preferences(UpscaleArgs args, Inputs inputs) {
  if (inputs == Inputs::one_picture) {
    fit_to_output(args);
    return args;
  }
  args.leave_out_aloud("--variants", args.variants);
  args.leave_out_aloud("--save-steps", args.save_steps);
  args.leave_out_aloud("--save-weight-map", args.save_weight_map);
  if (inputs == Inputs::folder) {
    fit_to_list(args);
    return args;
  }
  args.leave_out("--recursive", args.folder.recursive);
  args.leave_out("--glob", args.folder.globs);
  args.leave_out("--exclude", args.folder.excludes);
  args.leave_out("--files-from", args.folder.files_from);
  return args;
}
