#pragma once

#include <string>
#include <vector>

#include "commands/upscale_args.h"

// What can be known of the files of one picture's run before a model is loaded.

/// Throws UsageError or InputError where the picture `args.output` cannot be written, or is the
/// input or the mask.
void check_paths(const UpscaleArgs& args);

/// Throws UsageError on a file that may be the user's own, which only `overwrite` replaces.
void check_existing(const std::string& output, bool overwrite);

/// Throws UsageError or InputError where W cannot be written, or would replace another file of the
/// run that makes these pictures.
void check_weight_map_name(const UpscaleArgs& args, const std::vector<Variant>& pictures);
