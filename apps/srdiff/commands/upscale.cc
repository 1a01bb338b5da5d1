#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "commands/commands.h"
#include "commands/upscale_args.h"
#include "help/offered_words.h"
#include "images/image_format.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "typed_options.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* folder_group = "Folders";
constexpr const char* folder_more_group = "Folders, more";

void add_folder_options(CLI::App& sub, FolderArgs& args) {
  const auto folders = [](auto* option) { return option->group(folder_group); };
  folders(sub.add_flag("-r,--recursive", args.recursive,
                       "Folders below IN too; OUT gets the same tree"));
  folders(sub.add_flag("--overwrite", args.overwrite,
                       "Replace outputs that exist, of one picture too"));
  folders(sub.add_flag("--resume", args.resume,
                       "Skip what is done and unchanged, go on with the rest"));
  folders(sub.add_option("--report", args.report, "JSON Lines file: what became of each picture"));
  const auto more = [](auto* option) { return option->group(folder_more_group); };
  more(sub.add_option("--html", args.html, "Page to look at the pictures, before and after"));
  more(
      sub.add_option("--glob", args.globs, "Take what fits this pattern only, whatever its ending"))
      ->expected(1)
      ->take_all();
  more(sub.add_option("--exclude", args.excludes,
                      "Leave out files and folders that fit this pattern"))
      ->expected(1)
      ->take_all();
  more(sub.add_option("--files-from", args.files_from,
                      "Take the names below IN that this file lists, - for stdin"));
  more(sub.add_flag("-0,--null", args.null_separated,
                    "The list has NUL between its names, not line ends"));
  more(sub.add_option("--suffix", args.suffix, "Goes between a name and its ending"));
  more(sub.add_flag("--fail-fast", args.fail_fast, "Stop at the first picture that fails"));
  more(sub.add_option("--shard", args.shard, "Part I/N of the pictures, the same for each run"));
}

/// The usual ending of each format that is written.
std::vector<std::string> format_words() {
  std::vector<std::string> words;
  for (const srdiff::FormatTraits& format : srdiff::image_formats()) {
    if (format.writes) {
      words.push_back(format.words.front());
    }
  }
  return words;
}

void add_output_options(CLI::App& sub, UpscaleArgs& args) {
  const auto output = [](auto* option) { return option->group("Output"); };
  output(
      offer_words(sub.add_option("--format", args.format,
                                 srdiff::list_of_formats() + " for a folder's outputs or stdout"),
                  {format_words()}));
  output(sub.add_option("--quality", args.encode.quality, "Of JPEG, WebP, JPEG XL, AVIF, 1 to 100"))
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  output(sub.add_flag("--strip-metadata", args.encode.strip_metadata, "Write pixels only"));
  output(sub.add_flag("--json", args.json, "Print a report on standard output"));
  output(sub.add_flag("--quiet", args.quiet, "Print warnings and errors only"));
  const auto more = [](auto* option) { return option->group("Output, more"); };
  more(sub.add_flag("--verbose", args.verbose, "Print more"));
  more(sub.add_option("--save-steps", args.save_steps,
                      "Folder for x_sr, W, x_t, each x0 of one picture"));
  more(sub.add_option("--save-weight-map", args.save_weight_map,
                      "File for W, which shows where detail is invented, of one picture"));
  more(sub.add_option("--variants", args.variants,
                      "So many pictures of one, by the seeds from --seed on: OUT-1, OUT-2 ..."))
      ->check(CLI::Range(1, 9999));
  const auto limit = [](auto* option) { return option->group("Limits, more"); };
  limit(sub.add_option("--max-pixels", args.max_pixels,
                       "Width x height of an input (default: the model's)"))
      ->check(CLI::PositiveNumber);
  constexpr int max_mib = 2047;  // OpenCV counts a file's bytes as int
  limit(sub.add_option("--max-file-size", args.max_file_mib, "MiB of an input file, 1 to 2047"))
      ->check(CLI::Range(1, max_mib))
      ->capture_default_str();
  limit(sub.add_option("--max-ratio", args.max_ratio,
                       "Pixels for each byte of an input above 16 Mi pixels"))
      ->check(ratio_problem, "")
      ->capture_default_str();
  limit(sub.add_flag("--accept-damaged", args.accept_damaged,
                     "Read what is left of damaged pictures, grey where they end"));
}

/// The first option typed that a single picture has no use for. --overwrite is not among them.
std::string first_used(const CLI::App& sub, const std::set<std::string>& typed) {
  const auto used = sub.get_options([&typed](const CLI::Option* option) {
    const bool is_flag = option->get_expected_min() == 0;  // it may be set to false
    return typed.count(option->get_name()) > 0 && (!is_flag || option->as<bool>()) &&
           option->get_name() != "--overwrite" &&
           (option->get_group() == folder_group || option->get_group() == folder_more_group);
  });
  return used.empty() ? "" : used.front()->get_name();
}

int run_upscale(const UpscaleArgs& args) {
  spdlog::set_level(args.quiet     ? spdlog::level::warn
                    : args.verbose ? spdlog::level::debug
                                   : spdlog::level::info);
  if (!args.more.empty()) {
    return upscale_files(with_fitting_preferences(args, Inputs::named_pictures));
  }
  std::error_code error;
  if (fs::is_directory(args.input, error)) {
    return upscale_folder(with_fitting_preferences(args, Inputs::folder));
  }
  // Below a working folder that was deleted all is missing; that is said elsewhere.
  if (args.input != "-" && !fs::exists(args.input, error) && !fs::current_path(error).empty()) {
    throw srdiff::InputError(args.input + ": no such file or folder");
  }
  if (!args.folder.used.empty()) {
    throw srdiff::UsageError(args.input + ": is no folder, which " + args.folder.used + " needs");
  }
  return upscale_file(with_fitting_preferences(args, Inputs::one_picture));
}

}  // namespace

srdiff::DecodeLimits file_limits(const UpscaleArgs& args) {
  srdiff::DecodeLimits limits;
  limits.max_pixels_per_byte = args.max_ratio;
  limits.max_file_bytes = args.max_file_mib << 20;
  limits.accept_damaged = args.accept_damaged;
  return limits;
}

srdiff::DecodeLimits decode_limits(const UpscaleArgs& args, const srdiff::Manifest& manifest) {
  srdiff::DecodeLimits limits = file_limits(args);
  limits.max_pixels = manifest.max_input_pixels();
  if (args.max_pixels > limits.max_pixels) {
    srdiff::log::warn("--max-pixels {} is more than {} takes: {} pixels are the limit",
                      args.max_pixels, manifest.name, limits.max_pixels);
  } else if (args.max_pixels > 0) {
    limits.max_pixels = args.max_pixels;
  }
  return limits;
}

void tell_default_model(const std::string& model) {
  srdiff::log::info("model {} is taken; --model NAME takes another (srdiff models list)", model);
}

srdiff::EncodeOptions encode_options(const UpscaleArgs& args, const Method& method) {
  srdiff::EncodeOptions options = args.encode;
  options.made_by = made_by(method.manifest, method.settings, method.precision);
  return options;
}

void add_upscale(CLI::App& app, Command& command) {
  auto args = std::make_shared<UpscaleArgs>();
  CLI::App& sub = *app.add_subcommand("upscale", "Enlarge a picture, or a folder of pictures");
  sub.footer(
      "Read are " + srdiff::list_of_titles() +
      "; of a folder, files with their endings,\n"
      "unless the names start with a dot. HEIC, and what --glob takes besides, becomes PNG.\n"
      "Without --model, pictures of up to 16x16 are treated as faces, others as photographs.\n"
      "Exit status: 0 done, 1 a picture failed, 2 wrong usage, 4 model or device unusable, 130\n"
      "interrupted. Settings left out are the model's (srdiff models info MODEL); options can "
      "also\n"
      "come from a file: --config FILE, TOML with a section [upscale].");
  sub.add_option("IN", args->input, "Picture or folder; - for stdin")->required();
  sub.add_option("OUT", args->output, "Picture to write, by its ending, or folder; - for stdout")
      ->required();
  sub.add_option("MORE", args->more,
                 "More pictures; the last word is then the folder for all of them");
  args->method.model = "auto";
  add_method_options(sub, args->method);
  for (const char* name : {"scale", "width", "height", "long_side", "megapixels"}) {
    add_setting_option(sub, args->method, name);
  }
  sub.add_option("--mask", args->mask,
                 "Grey picture, of a folder's pictures a folder: black keeps x_sr, white invents")
      ->group("Method, more");
  add_folder_options(sub, args->folder);
  add_output_options(sub, *args);
  sub.callback([&app, &sub, args, &command] {
    args->config = given_config(app);
    args->typed = typed_options(sub);
    args->folder.used = first_used(sub, args->typed);
    command = [args] { return run_upscale(*args); };
  });
}
