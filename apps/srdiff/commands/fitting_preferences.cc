#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "commands/upscale_args.h"
#include "srdiff/logging.h"

namespace {

namespace fs = std::filesystem;

/// Takes back what only the configuration says. Returns whether it said anything.
template <typename Value>
bool leave_out(const UpscaleArgs& args, const char* option, Value& value) {
  if (value == Value{} || args.typed.count(option) > 0) {
    return false;
  }
  value = Value{};
  return true;
}

/// The same of what would have been made.
template <typename Value>
void leave_out_aloud(UpscaleArgs& args, const char* option, Value& value) {
  if (leave_out(args, option, value)) {
    args.left_out.emplace_back(option + 2);
  }
}

/// The ending that OUT names goes before a format, and standard output takes one picture.
void fit_to_output(UpscaleArgs& args) {
  std::error_code error;
  if (args.output == "-") {
    leave_out_aloud(args, "--variants", args.variants);
  } else if (!fs::is_directory(args.output, error)) {
    leave_out(args, "--format", args.format);
  }
}

/// Files are named by a list or found by patterns, as it is typed.
void fit_to_list(UpscaleArgs& args) {
  FolderArgs& folder = args.folder;
  if (args.typed.count("--files-from") > 0) {
    leave_out(args, "--glob", folder.globs);
    leave_out(args, "--exclude", folder.excludes);
  } else if (args.typed.count("--glob") > 0 || args.typed.count("--exclude") > 0) {
    leave_out(args, "--files-from", folder.files_from);
  }
}

}  // namespace

UpscaleArgs with_fitting_preferences(UpscaleArgs args, Inputs inputs) {
  if (inputs == Inputs::one_picture) {
    fit_to_output(args);
    return args;
  }
  leave_out_aloud(args, "--variants", args.variants);
  leave_out_aloud(args, "--save-steps", args.save_steps);
  leave_out_aloud(args, "--save-weight-map", args.save_weight_map);
  if (inputs == Inputs::folder) {
    fit_to_list(args);
    return args;
  }
  leave_out(args, "--recursive", args.folder.recursive);
  leave_out(args, "--glob", args.folder.globs);
  leave_out(args, "--exclude", args.folder.excludes);
  leave_out(args, "--files-from", args.folder.files_from);
  return args;
}

void tell_left_out(const UpscaleArgs& args) {
  for (const std::string& setting : args.left_out) {
    srdiff::log::info("{}: {} does not fit here and is left out", args.config, setting);
  }
}
