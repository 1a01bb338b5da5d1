#include <filesystem>
#include <limits>
#include <system_error>

#include "batch/work_list.h"
#include "commands/upscale_args.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace fs = std::filesystem;

std::vector<Variant> list_variants(const UpscaleArgs& args, std::uint64_t seed) {
  if (args.output == "-") {
    throw srdiff::UsageError("--variants are several pictures; standard output takes one");
  }
  if (!args.save_steps.empty()) {
    throw srdiff::UsageError("--save-steps is for one picture, and --variants makes several");
  }
  const auto count = static_cast<std::uint64_t>(args.variants.value_or(1));
  if (seed > std::numeric_limits<std::uint64_t>::max() - (count - 1)) {
    throw srdiff::UsageError("--variants " + std::to_string(count) + " from --seed " +
                             std::to_string(seed) + " pass 2^64 - 1");
  }
  std::error_code error;
  const bool into_folder = fs::is_directory(args.output, error);
  if (!into_folder && !args.format.empty()) {
    throw srdiff::UsageError(args.output + ": names its format by its ending; leave out --format");
  }
  srdiff::WorkListOptions options;
  options.format = args.format;
  srdiff::check_format(args.format);
  const fs::path named = args.output;
  const fs::path ending =
      into_folder ? output_name(fs::path(args.input).filename(), options) : named;
  const fs::path start =
      into_folder ? named / "" : named.parent_path() / (named.stem().string() + "-");
  std::vector<Variant> variants;
  for (std::uint64_t i = 0; i < count; ++i) {
    variants.push_back(
        {start.string() + std::to_string(i + 1) + ending.extension().string(), seed + i});
  }
  return variants;
}
